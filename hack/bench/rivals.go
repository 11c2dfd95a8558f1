package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	api "github.com/storageos/go-api/v2"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions"
)

// rivalOptions are for this program as one that the controller is compared with,
// in a process of its own.
type rivalOptions struct {
	endpoint   string
	polls      int
	kubeconfig string
}

// found is what a rival prints.
type found struct {
	CPU  time.Duration // of one poll
	Heap int64         // bytes, after a collection
	Rest int64         // bytes resident some time after that
	Most int64         // bytes resident at most until then
}

func (r rivalOptions) run(ctx context.Context, which string) error {
	var f found
	var err error
	switch which {
	case "floor":
		buf := make([]byte, 1<<20)
		f.CPU, err = r.poll(ctx, func(body io.Reader) error {
			var h maphash.Hash
			_, err := io.CopyBuffer(&h, struct{ io.Reader }{body}, buf)
			return err
		})
	case "decode":
		f.CPU, err = r.poll(ctx, func(body io.Reader) error {
			raw, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			var volumes []api.Volume
			return json.Unmarshal(raw, &volumes)
		})
	case "informers":
		f, err = r.informers(ctx)
	default:
		err = fmt.Errorf("flag -rival: %q is unknown", which)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// poll lists StorageOS, namespace by namespace, and tells the processor time of
// one such poll; the first, which opens connections, does not count.
func (r rivalOptions) poll(ctx context.Context, do func(io.Reader) error) (time.Duration, error) {
	token, err := r.login()
	if err != nil {
		return 0, err
	}
	get := func(path string, do func(io.Reader) error) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.endpoint+"/v2"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return do(resp.Body)
	}
	once := func() error {
		var namespaces []api.Namespace
		for _, path := range []string{"/cluster", "/nodes"} {
			if err := get(path, discard); err != nil {
				return err
			}
		}
		if err := get("/namespaces", func(body io.Reader) error { return json.NewDecoder(body).Decode(&namespaces) }); err != nil {
			return err
		}
		for _, ns := range namespaces {
			if err := get("/namespaces/"+ns.Id+"/volumes", do); err != nil {
				return err
			}
		}
		return get("/cluster", discard)
	}
	if err := once(); err != nil {
		return 0, err
	}
	begun := processor()
	for range r.polls {
		if err := once(); err != nil {
			return 0, err
		}
	}
	return (processor() - begun) / time.Duration(r.polls), nil
}

func discard(body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

func (r rivalOptions) login() (string, error) {
	resp, err := http.Post(r.endpoint+"/v2/auth/login", "application/json",
		strings.NewReader(`{"username":"`+simulator.DefaultUsername+`","password":"`+simulator.DefaultPassword+`"}`))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	token := resp.Header.Get("Authorization")
	if token == "" {
		return "", errors.New("the login was answered without a token")
	}
	return token, nil
}

// processor is the time that this process has taken of the processor.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// informers caches PersistentVolumes and records as client-go does if it is not
// told otherwise.
func (r rivalOptions) informers(ctx context.Context) (f found, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig)
	if err != nil {
		return f, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return f, err
	}
	records, err := versioned.NewForConfig(config)
	if err != nil {
		return f, err
	}
	a, b := informers.NewSharedInformerFactory(kube, 0), externalversions.NewSharedInformerFactory(records, 0)
	pvs, volumes := a.Core().V1().PersistentVolumes().Informer(), b.StorageOS().V1().Volumes().Informer()
	a.Start(ctx.Done())
	b.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pvs.HasSynced, volumes.HasSynced) {
		return f, ctx.Err()
	}
	time.Sleep(time.Second) // what filled them ends
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.Heap = int64(m.HeapAlloc)
	time.Sleep(5 * time.Second) // Go gives back what it does not need
	f.Rest, f.Most, err = memoryOf("self")
	runtime.KeepAlive(pvs)
	runtime.KeepAlive(volumes)
	return f, err
}

// rival runs this program as one that the controller is compared with.
func (b *bench) rival(ctx context.Context, which string, args ...string) (found, error) {
	self, err := os.Executable()
	if err != nil {
		return found{}, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-rival", which}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return found{}, fmt.Errorf("the rival %s: %w", which, err)
	}
	var f found
	return f, json.Unmarshal(out, &f)
}
