// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// It announces itself in one line, answers, and ends well when asked to.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"-listen", "127.0.0.1:0", "-volumes=7", "-node=a", "-node=b", "-nodes=1", "--change-interval", "1ms"}, writer, io.Discard)
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(line, "StorageOS simulator on http://127.0.0.1:") || !strings.Contains(line, "3 nodes, 2 namespaces, 7 volumes") {
		t.Errorf("announced %q", line)
	}
	url := strings.TrimSuffix(strings.Fields(line)[3], ":")
	for path, want := range map[string]int{"/v2/cluster": 401, "/sim/state": 200} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		code int
		text string // part of what goes to stderr
	}{
		{"-help", 0, "-change-interval"},
		{"-nope", 2, "-nope"},
		{"-volumes x", 2, "-volumes"},
		{"-volumes -1", 2, "-volumes -1"},
		{"-namespaces -1", 2, "-namespaces"},
		{"-nodes -1", 2, "-nodes"},
		{"-node=", 2, "-node"},
		{"-csi -2", 2, "-csi"},
		{"-csi 5 -volumes 3", 2, "-csi"},
		{"-username=", 2, "-username"},
		{"-password=", 2, "-password"},
		{"-token-expiry 0s", 2, "-token-expiry"},
		{"-change-interval -1s", 2, "-change-interval"},
		{"-seed -1", 2, "-seed"},
		{"rest", 2, "rest"},
		{"-listen 127.0.0.1:99999", 1, "-listen"},
	} {
		var stderr strings.Builder
		if code := run(t.Context(), strings.Fields(test.args), io.Discard, &stderr); code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.args, code, test.code)
		}
		if !strings.Contains(stderr.String(), test.text) {
			t.Errorf("%s: stderr %q", test.args, stderr.String())
		}
		if lines := strings.Count(stderr.String(), "\n"); test.code != 0 && lines != 1 {
			t.Errorf("%s: %d lines on stderr", test.args, lines)
		}
	}
}
