package storageos

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"testing"
)

// listOf is the list of a namespace with so many volumes.
func listOf(volumes int) []byte {
	list := []byte("[")
	for n := range volumes {
		if n > 0 {
			list = append(list, ',')
		}
		list = fmt.Appendf(list, `{"id":"c6066eef-2b51-435f-8a7f-%012d","name":"pvc-b5e2a0a4-6f3c-4f5e-9a43-%012d","namespaceID":"8f2f6b0e-5d1c-4b5e-9a43-6f3c4f5e9a43",`+
			`"attachedOn":"1a2b3c4d-0000-0000-0000-000000000001","description":"","fsType":"ext4","attachmentType":"host","sizeBytes":%d,`+
			`"labels":{"csi.storage.k8s.io/pv/name":"pvc-%d","csi.storage.k8s.io/pvc/name":"data-\"%d\"","csi.storage.k8s.io/pvc/namespace":"team","storageos.com/replicas":"1"},`+
			`"master":{"id":"m-%d","nodeID":"1a2b3c4d-0000-0000-0000-000000000001","health":"online","promotable":true},`+
			`"replicas":[{"id":"r-%d","nodeID":"1a2b3c4d-0000-0000-0000-000000000002","health":"ready","promotable":true,"syncProgress":{"bytesRemaining":0,"throughputBytes":0,"estimatedSecondsRemaining":0}}],`+
			`"createdAt":"2026-01-02T12:00:00Z","updatedAt":"2026-01-02T12:00:00Z","version":"MTIzNDU2Nzg5MA=="}`, n, n, n<<30, n, n, n, n)
	}
	return append(list, ']')
}

// A list that is known, one that is another and is split, and the least that
// both take: to hash the bytes. Of 10,000 volumes it is too long to be held.
func BenchmarkList(b *testing.B) {
	for _, volumes := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("volumes=%d", volumes), func(b *testing.B) { benchmarkList(b, listOf(volumes)) })
	}
}

func benchmarkList(b *testing.B, body []byte) {
	var l listing
	known, err := l.read(bytes.NewReader(body), Fingerprint{}, func(Entry) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	for name, before := range map[string]Fingerprint{"known": known, "another": {}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.read(bytes.NewReader(body), before, func(Entry) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			maphash.Bytes(seed, body)
		}
	})
}

func BenchmarkDecodeVolume(b *testing.B) {
	body := listOf(1)
	raw := body[1 : len(body)-1]
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeVolume(raw); err != nil {
			b.Fatal(err)
		}
	}
}
