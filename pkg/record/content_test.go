package record

import (
	"fmt"
	"strings"
	"testing"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// What is too large is found, and what is small is not written down for that.
func TestMayBeLarge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*storageos.Volume)
		maybe  bool
		fits   bool
	}{
		"a usual one":               {func(*storageos.Volume) {}, false, true},
		"many labels":               {func(v *storageos.Volume) { v.Labels = labels(10_000, 10) }, true, true},
		"too many labels":           {func(v *storageos.Volume) { v.Labels = labels(10_000, 200) }, true, false},
		"a description of anything": {func(v *storageos.Volume) { v.Description = strings.Repeat("\x01", MaxBytes/5) }, true, false},
		"many replicas":             {func(v *storageos.Volume) { v.Replicas = make([]storageos.Replica, 100_000) }, true, false},
		"a long host name":          {func(v *storageos.Volume) { v.Master.Hostname = strings.Repeat("x", MaxBytes+1) }, true, false},
		"a long export": {func(v *storageos.Volume) {
			path := strings.Repeat("x", MaxBytes+1)
			v.Nfs.ServiceEndpoint = &path
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := storageos.DecodeVolume([]byte(`{"id":"v","name":"pvc-1","replicas":[{"id":"r","health":"ready"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			tc.change(v)
			c, err := FromVolume(v, "ns", nil)
			if (err == nil) != tc.fits {
				t.Errorf("error %v", err)
			}
			if err == nil && c.mayBeLarge() != tc.maybe {
				t.Errorf("it may be large: %v", c.mayBeLarge())
			}
		})
	}
}

func labels(n, length int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[strings.Repeat("x", length)+fmt.Sprint(i)] = "y"
	}
	return all
}
