// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import "time"

// What Options mean where they are silent.
const (
	DefaultUsername    = "storageos"
	DefaultPassword    = "storageos"
	DefaultTokenExpiry = 5 * time.Minute // the product's own default
	DefaultLogLimit    = 10000
)

// The two spellings of the header that tells how long a token lives. The
// specification has the first for login and the second for refresh.
const (
	HeaderExpiresSeconds = "Authorization-Expires-Seconds"
	HeaderExpiresIn      = "Authorization-Expires-In"
)

// Options configure a Simulator. The zero value is usable.
type Options struct {
	// Username and Password are the only credentials that log in.
	// Default: DefaultUsername, DefaultPassword.
	Username string
	Password string

	// TokenExpiry is the life of a token from login or refresh on. The API
	// tells it in whole seconds, rounded down. Default: DefaultTokenExpiry.
	TokenExpiry time.Duration

	// RefreshExpiryHeader is the name of the header in which a refresh tells
	// the life of the new token. Default: HeaderExpiresIn, as specified.
	RefreshExpiryHeader string

	// Now is the clock for token expiry, times of objects and the log of
	// requests; it must be safe for concurrent use. The delays of faults are
	// measured in real time regardless. Default: time.Now.
	Now func() time.Time

	// Seed starts the generator of IDs: two simulators with one seed that are
	// given the same calls in the same order have the same IDs. Tokens are not
	// made from it.
	Seed uint64

	// ClusterID is the ID of the cluster. Default: made from Seed.
	ClusterID string

	// NewerServer makes volumes carry what servers from 2.6 on send beside the
	// fields of 2.4: attachedOnHost, hostname in every deployment and
	// topologyLabels.
	NewerServer bool

	// Shuffle answers every list in another random order (see SetShuffle).
	Shuffle bool

	// LogLimit is how many requests Log remembers, the newest ones.
	// Default: DefaultLogLimit. Negative: none.
	LogLimit int
}

// withDefaults returns o with every silent option filled in, except ClusterID,
// which needs the generator.
func (o Options) withDefaults() Options {
	if o.Username == "" {
		o.Username = DefaultUsername
	}
	if o.Password == "" {
		o.Password = DefaultPassword
	}
	if o.TokenExpiry == 0 {
		o.TokenExpiry = DefaultTokenExpiry
	}
	if o.RefreshExpiryHeader == "" {
		o.RefreshExpiryHeader = HeaderExpiresIn
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LogLimit == 0 {
		o.LogLimit = DefaultLogLimit
	}
	o.LogLimit = max(o.LogLimit, 0)
	return o
}
