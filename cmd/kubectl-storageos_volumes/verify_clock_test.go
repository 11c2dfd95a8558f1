package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// empty is a StorageOS without volumes.
type empty struct{ storageos.Lister }

func (empty) Cluster(context.Context) (string, error)                   { return "c1", nil }
func (empty) Nodes(context.Context) (map[string]string, error)          { return nil, nil }
func (empty) Namespaces(context.Context) ([]storageos.Namespace, error) { return nil, nil }

// When a volume went is judged by the clock of Kubernetes, not by the one here.
func TestVerifyClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"the clocks agree": 0, "the one here is behind": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := time.Now().Add(ahead)
			gone := volume("v1", func(r *v1.Volume) {
				r.Annotations[v1.AnnotationClusterID] = "c1"
				r.Annotations[v1.AnnotationAbsentSince] = there.UTC().Format(time.RFC3339)
				record.NotListed.Apply(r, v1.ConditionPresent, there)
				record.HealthNotListed.Apply(r, there)
				record.NoPersistentVolume.Apply(r, v1.ConditionBound, there)
			})
			of := answering{
				volumesPath: objectList(v1.SchemeGroupVersion.WithKind("Volume"), gone),
				pvsPath:     objectList[corev1.PersistentVolume](corev1.SchemeGroupVersion.WithKind("PersistentVolume")),
				crdPath:     nil,
			}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
				of.ServeHTTP(w, r)
			}))
			defer s.Close()
			kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
			config := `{"apiVersion":"v1","kind":"Config","current-context":"one","users":[{"name":"u","user":{}}],
				"clusters":[{"name":"c","cluster":{"server":"` + s.URL + `"}}],"contexts":[{"name":"one","context":{"cluster":"c","user":"u"}}]}`
			if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			v := &verify{cli: &cli{config: genericclioptions.NewConfigFlags(true), csiDriver: "csi.storageos.com"}}
			v.config.KubeConfig = &kubeconfig
			kube, client, err := v.clients()
			if err != nil {
				t.Fatal(err)
			}
			if found, _, err := v.compare(t.Context(), kube, client, empty{}); err != nil || len(found) > 0 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}
