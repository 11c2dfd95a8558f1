// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// ids makes the IDs and versions of objects. It is not safe for concurrent use:
// the state's lock guards it, so that the order of calls decides the IDs.
type ids struct {
	rand     *rand.Rand
	versions uint64
}

func newIDs(seed uint64) *ids {
	return &ids{rand: rand.New(rand.NewPCG(seed, 0x73746f726167656f))}
}

// uuid returns the next ID in the shape of a random (version 4) UUID.
func (g *ids) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], g.rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], g.rand.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// version returns the next version of an object. The API calls it opaque and
// 30 characters long at most.
func (g *ids) version() string {
	g.versions++
	return base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "%012d", g.versions))
}
