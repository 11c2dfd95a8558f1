// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// specification is the OpenAPI file, loaded once for all tests, which only read
// it.
type specification struct {
	*openapi3.T
	router routers.Router
}

// load returns the specification or fails the test.
func load(t *testing.T) specification {
	t.Helper()
	spec, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

var loadOnce = sync.OnceValues(func() (specification, error) {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/storageos/go-api/v2").Output()
	if err != nil {
		return specification{}, err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "openapi.yaml"))
	if err != nil {
		return specification{}, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(correct(text))
	if err != nil {
		return specification{}, err
	}
	// nfs is declared as "nullable: true" beside a $ref. OpenAPI 3.0 ignores
	// what stands beside a $ref, but what is meant is clear.
	doc.Components.Schemas["NfsConfig"].Value.Nullable = true
	// Some examples contradict their schema: lists for what is a string.
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return specification{}, err
	}
	router, err := gorillamux.NewRouter(doc)
	return specification{doc, router}, err
})

var integerType = regexp.MustCompile(`(?m)^( *)type: (u?int64)$`)

// correct turns the types uint64 and int64, which OpenAPI does not have, into
// integers of that format.
func correct(text []byte) []byte {
	return integerType.ReplaceAll(text, []byte("${1}type: integer\n${1}format: ${2}"))
}

// properties returns the properties of an object, also those that it has by
// allOf.
func properties(schema *openapi3.Schema) openapi3.Schemas {
	all := openapi3.Schemas{}
	for name, property := range schema.Properties {
		all[name] = property
	}
	for _, part := range schema.AllOf {
		for name, property := range properties(part.Value) {
			all[name] = property
		}
	}
	return all
}
