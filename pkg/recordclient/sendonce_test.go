package recordclient

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	typed "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
)

// A write is sent once, whatever the server says of trying again.
func TestSendOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	requests := map[string]func(typed.VolumeInterface) error{
		"create": func(c typed.VolumeInterface) error {
			_, err := c.Create(ctx, &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
			return err
		},
		"patch": func(c typed.VolumeInterface) error {
			_, err := c.Patch(ctx, "x", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
			return err
		},
		"patch status": func(c typed.VolumeInterface) error {
			_, err := c.Patch(ctx, "x", types.MergePatchType, []byte("{}"), metav1.PatchOptions{}, "status")
			return err
		},
		"delete": func(c typed.VolumeInterface) error { return c.Delete(ctx, "x", metav1.DeleteOptions{}) },
		"get": func(c typed.VolumeInterface) error {
			_, err := c.Get(ctx, "x", metav1.GetOptions{})
			return err
		},
	}
	for name, request := range requests {
		for _, tc := range []struct{ status, sent int }{
			{http.StatusInternalServerError, 1}, {http.StatusServiceUnavailable, 1}, {http.StatusGatewayTimeout, 1},
			{http.StatusTooManyRequests, 11},
		} {
			switch name {
			case "get":
				tc.sent = 11 // client-go tries ten times more
			case "delete":
				tc.sent = 1
			}
			t.Run(name+" "+http.StatusText(tc.status), func(t *testing.T) {
				t.Parallel()
				sent := 0
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					sent++
					w.Header().Set("Retry-After", "0")
					w.WriteHeader(tc.status)
				}))
				defer server.Close()
				client, err := New(&rest.Config{Host: server.URL, QPS: -1})
				if err != nil {
					t.Fatal(err)
				}
				if err := request(client.StorageOSV1().Volumes()); err == nil {
					t.Error("no error")
				}
				if sent != tc.sent {
					t.Errorf("it was sent %d times, want %d", sent, tc.sent)
				}
			})
		}
	}
}
