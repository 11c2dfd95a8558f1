// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/antihax/optional"
	api "github.com/storageos/go-api/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// client is the StorageOS API as the driver uses it. Its errors are gRPC's.
type client struct {
	api                *api.DefaultApiService
	username, password string

	mu    sync.Mutex
	token string
}

func newClient(endpoint, username, password string) *client {
	configuration := api.NewConfiguration()
	configuration.BasePath = endpoint + "/v2"
	configuration.HTTPClient = &http.Client{Timeout: time.Minute}
	return &client{api: api.NewAPIClient(configuration).DefaultApi, username: username, password: password}
}

// do makes a call. If its token is refused it logs in and calls once more.
func (c *client) do(ctx context.Context, call func(context.Context) (*http.Response, error)) error {
	refused := ""
	for {
		token, err := c.login(ctx, refused)
		if err != nil {
			return err
		}
		response, err := call(context.WithValue(ctx, api.ContextAccessToken, token))
		switch {
		case err == nil:
			return nil
		case refused == "" && response != nil && response.StatusCode == http.StatusUnauthorized:
			refused = token
		default:
			return failed(response, err)
		}
	}
}

// login returns a token other than the one that was refused.
func (c *client) login(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != refused {
		return c.token, nil
	}
	session, response, err := c.api.AuthenticateUser(ctx, api.AuthUserData{Username: c.username, Password: c.password})
	if err != nil {
		return "", failed(response, err)
	}
	c.token = session.Session.Token
	return c.token, nil
}

// codesOf are what the statuses of the API mean to whoever calls the driver.
var codesOf = map[int]codes.Code{
	http.StatusBadRequest:          codes.InvalidArgument,
	http.StatusUnauthorized:        codes.Unauthenticated,
	http.StatusForbidden:           codes.PermissionDenied,
	http.StatusNotFound:            codes.NotFound,
	http.StatusConflict:            codes.AlreadyExists,
	http.StatusPreconditionFailed:  codes.Aborted,
	http.StatusServiceUnavailable:  codes.Unavailable,
	http.StatusInsufficientStorage: codes.ResourceExhausted,
}

// failed translates an error of the API.
func failed(response *http.Response, err error) error {
	code := codes.Internal
	if response == nil {
		code = codes.Unavailable
	} else if known, ok := codesOf[response.StatusCode]; ok {
		code = known
	}
	return status.Error(code, api.MapAPIError(err, response).Error())
}

func (c *client) namespaces(ctx context.Context) (list []api.Namespace, err error) {
	err = c.do(ctx, func(ctx context.Context) (response *http.Response, err error) {
		list, response, err = c.api.ListNamespaces(ctx)
		return response, err
	})
	return list, err
}

// namespace finds or makes a namespace and returns its ID.
func (c *client) namespace(ctx context.Context, name string) (string, error) {
	for {
		list, err := c.namespaces(ctx)
		if err != nil {
			return "", err
		}
		for _, ns := range list {
			if ns.Name == name {
				return ns.Id, nil
			}
		}
		var made api.Namespace
		err = c.do(ctx, func(ctx context.Context) (response *http.Response, err error) {
			made, response, err = c.api.CreateNamespace(ctx, api.CreateNamespaceData{Name: name})
			return response, err
		})
		if status.Code(err) != codes.AlreadyExists { // somebody has made it just now
			return made.Id, err
		}
	}
}

func (c *client) volumes(ctx context.Context, namespaceID string) (list []api.Volume, err error) {
	err = c.do(ctx, func(ctx context.Context) (response *http.Response, err error) {
		list, response, err = c.api.ListVolumes(ctx, namespaceID)
		return response, err
	})
	return list, err
}

func (c *client) volume(ctx context.Context, namespaceID, id string) (v api.Volume, err error) {
	err = c.do(ctx, func(ctx context.Context) (response *http.Response, err error) {
		v, response, err = c.api.GetVolume(ctx, namespaceID, id)
		return response, err
	})
	return v, err
}

func (c *client) create(ctx context.Context, data api.CreateVolumeData) (v api.Volume, err error) {
	err = c.do(ctx, func(ctx context.Context) (response *http.Response, err error) {
		v, response, err = c.api.CreateVolume(ctx, data.NamespaceID, data, nil)
		return response, err
	})
	return v, err
}

func (c *client) remove(ctx context.Context, namespaceID, id string) error {
	return c.do(ctx, func(ctx context.Context) (*http.Response, error) {
		return c.api.DeleteVolume(ctx, namespaceID, id, "any", &api.DeleteVolumeOpts{IgnoreVersion: optional.NewBool(true)})
	})
}

func (c *client) resize(ctx context.Context, v api.Volume, size uint64) error {
	return c.do(ctx, func(ctx context.Context) (*http.Response, error) {
		_, response, err := c.api.ResizeVolume(ctx, v.NamespaceID, v.Id, api.ResizeVolumeRequest{SizeBytes: size, Version: v.Version}, nil)
		return response, err
	})
}
