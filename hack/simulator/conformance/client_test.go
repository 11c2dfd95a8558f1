// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	api "github.com/storageos/go-api/v2"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// client returns the product's own client, whose requests and answers are
// validated.
func (c *cluster) client() *api.DefaultApiService {
	configuration := api.NewConfiguration()
	configuration.BasePath = c.url + "/v2"
	configuration.HTTPClient = &http.Client{Transport: c.transport}
	return api.NewAPIClient(configuration).DefaultApi
}

// login logs in with the product's own client and returns the token.
func (c *cluster) login(t *testing.T) string {
	t.Helper()
	session, response, err := c.client().AuthenticateUser(t.Context(), api.AuthUserData{
		Username: simulator.DefaultUsername, Password: simulator.DefaultPassword,
	})
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	defer response.Body.Close()
	for _, problem := range c.transport.take() {
		t.Errorf("login: %v", problem)
	}
	return session.Session.Token
}

// The product's own client reads from the simulator what was put in.
func TestClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t, simulator.Options{})
	client := c.client()
	ctx := context.WithValue(t.Context(), api.ContextAccessToken, c.login(t))
	check := func(name string, response *http.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, api.MapAPIError(err, response))
		}
		for _, problem := range c.transport.take() {
			t.Errorf("%s: %v", name, problem)
		}
	}

	session, response, err := client.RefreshJwt(ctx)
	check("refresh", response, err)
	ctx = context.WithValue(t.Context(), api.ContextAccessToken, session.Session.Token)

	info, response, err := client.GetCluster(ctx)
	check("cluster", response, err)
	if info.Id != c.ClusterID() {
		t.Errorf("cluster %s, want %s", info.Id, c.ClusterID())
	}
	nodes, response, err := client.ListNodes(ctx)
	check("nodes", response, err)
	same(t, "nodes", nodes, c.Nodes())
	namespaces, response, err := client.ListNamespaces(ctx)
	check("namespaces", response, err)
	same(t, "namespaces", namespaces, c.Namespaces())
	volumes, response, err := client.ListVolumes(ctx, c.namespace)
	check("volumes", response, err)
	same(t, "volumes", volumes, c.Volumes(c.namespace))

	volume, response, err := client.GetVolume(ctx, c.namespace, c.free)
	check("volume", response, err)
	response, err = client.DeleteVolume(ctx, c.namespace, c.free, volume.Version, nil)
	check("delete", response, err)
	_, response, err = client.GetVolume(ctx, c.namespace, c.free)
	if err == nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("a deleted volume: %v", err)
	}
}

// same checks that the client's model holds what the simulator's does. Both are
// compared as the JSON of the client's model, which leaves out what is empty.
func same[T any](t *testing.T, name string, got []T, source any) {
	t.Helper()
	rendered, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(rendered)))
	decoder.DisallowUnknownFields()
	var want []T
	if err := decoder.Decode(&want); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(got) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
	}
}
