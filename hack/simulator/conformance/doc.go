// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Package conformance holds the tests that compare what the StorageOS simulator
// answers with the OpenAPI file inside the module github.com/storageos/go-api/v2,
// so that the simulator cannot drift into what the controller happens to expect.
//
// It is a module of its own because the validator is a large dependency that
// the product has no use for.
package conformance
