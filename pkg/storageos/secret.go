package storageos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const maxSecretFile = 64 << 10

// credentials are what a login needs.
type credentials struct {
	username, password string
}

// readCredentials reads the files username and password of the secret's folder.
// White space around the values is ignored. No error quotes a value.
func readCredentials(folder string) (credentials, error) {
	var c credentials
	var err error
	if c.username, err = readSecretFile(filepath.Join(folder, "username")); err != nil {
		return credentials{}, err
	}
	if c.password, err = readSecretFile(filepath.Join(folder, "password")); err != nil {
		return credentials{}, err
	}
	return c, nil
}

func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the secret: %w", err)
	case len(b) > maxSecretFile:
		return "", fmt.Errorf("reading the secret: %s has more than %d bytes", path, maxSecretFile)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("reading the secret: %s is empty", path)
	}
	return s, nil
}

// stamp tells, without reading them, whether files have changed.
type stamp [2]struct {
	modified time.Time
	size     int64
	missing  bool
}

func stampOf(paths ...string) stamp {
	var s stamp
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			s[i].missing = errors.Is(err, os.ErrNotExist)
			continue
		}
		s[i].modified, s[i].size = info.ModTime(), info.Size()
	}
	return s
}

func secretStamp(folder string) stamp {
	return stampOf(filepath.Join(folder, "username"), filepath.Join(folder, "password"))
}
