package recordclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
)

// aRecord is one as the API server writes it.
const aRecord = `{"apiVersion":"api.storageos.com/v1","kind":"Volume","metadata":{"annotations":{"a":"b"},` +
	`"creationTimestamp":"2026-01-02T03:04:05Z","finalizers":["f"],"generation":2,"labels":{"storageos.com/volume-id":"v"},` +
	`"managedFields":[{"apiVersion":"api.storageos.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{}},"manager":"m","operation":"Update","time":"2026-01-02T03:04:05Z"}],` +
	`"name":"r","resourceVersion":"7","uid":"u"},"spec":{"configLabels":{"x":"y"},"fsType":"ext4","replicas":2,"sizeBytes":9007199254740993},` +
	`"status":{"attachedOn":"n","capacity":"5Gi","conditions":[{"lastTransitionTime":"2026-01-02T03:04:05Z","message":"m","reason":"R","status":"True","type":"Present"}],` +
	`"health":"healthy","master":{"health":"online","promotable":true},"replicas":[{"promotable":false,"syncProgress":{"bytesRemaining":5}}],"volumeId":"v","unknown":{"deep":[1]}}}`

const notFoundStatus = `{"apiVersion":"v1","kind":"Status","metadata":{},"status":"Failure","message":"no such record","reason":"NotFound","code":404}`

// clients are the two clients of an API server that always answers the same.
func clients(t *testing.T, code int, body string) (ours, generated versioned.Interface) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	ours, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return ours, versioned.NewForConfigOrDie(config)
}

// What is read of one answer is what the generated client reads, but for the fields
// that are skipped.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code int
		body string
		lean bool
	}{
		"a record":                        {200, aRecord, true},
		"a record without a status":       {201, `{"apiVersion":"api.storageos.com/v1","kind":"Volume","metadata":{"name":"r"},"spec":null}`, true},
		"a record in another order":       {200, `{"kind":"Volume","apiVersion":"api.storageos.com/v1","metadata":{"name":"r","managedFields":[{"manager":"m"}]}}`, false},
		"names that differ by their case": {200, `{"apiVersion":"api.storageos.com/v1","kind":"Volume","metadata":{"NAME":"r"}}`, true},
		"a cut answer":                    {200, aRecord[:400], false},
		"no JSON":                         {200, `upstream connect error`, false},
		"a failure":                       {404, notFoundStatus, false},
		"a failure that says 200":         {200, notFoundStatus, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, generated := clients(t, tc.code, tc.body)
			got, err := ours.StorageOSV1().Volumes().Get(t.Context(), "r", metav1.GetOptions{})
			want, wantErr := generated.StorageOSV1().Volumes().Get(t.Context(), "r", metav1.GetOptions{})
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("error %v, want %v", err, wantErr)
			}
			if err != nil {
				return
			}
			if tc.lean && got.ManagedFields != nil {
				t.Error("it was left to the generated client's decoder")
			}
			if tc.lean {
				want.ManagedFields = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

// A list is read as the generated client reads it, but for the fields that are skipped.
func TestList(t *testing.T) {
	t.Parallel()
	const start = `{"apiVersion":"api.storageos.com/v1","items":`
	for name, tc := range map[string]struct {
		body string
		lean bool
	}{
		"records":          {start + "[" + aRecord + "," + aRecord + `],"kind":"VolumeList","metadata":{"continue":"c","remainingItemCount":3,"resourceVersion":"9"}}`, true},
		"no records":       {start + `[],"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`, true},
		"null":             {start + `null,"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`, true},
		"another kind":     {start + "[" + aRecord + `],"kind":"Strangers","metadata":{"resourceVersion":"9"}}`, false},
		"no list at all":   {start + `{"a":1},"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`, false},
		"in another order": {`{"kind":"VolumeList","metadata":{"resourceVersion":"9"},"more":{"items":[1]},"items":[` + aRecord + `],"apiVersion":"api.storageos.com/v1"}`, true},
		"more behind it":   {start + "[" + aRecord + `],"kind":"VolumeList","metadata":{"resourceVersion":"9"}} {}`, false},
		"cut behind it":    {start + "[" + aRecord + `],"kind":"VolumeList"`, false},
		"no object":        {"[" + aRecord + "]", false},
		"a number in it":   {start + `[5],"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`, false},
		"a cut answer":     {start + "[" + aRecord, false},
		"a failure":        {notFoundStatus, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, generated := clients(t, 200, tc.body)
			got, err := ours.StorageOSV1().Volumes().List(t.Context(), metav1.ListOptions{})
			want, wantErr := generated.StorageOSV1().Volumes().List(t.Context(), metav1.ListOptions{})
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("error %v, want %v", err, wantErr)
			}
			if err != nil {
				return
			}
			for i := range want.Items {
				if tc.lean && got.Items[i].ManagedFields != nil {
					t.Error("it was left to the generated client's decoder")
				}
				want.Items[i].ManagedFields = nil
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	}
}

// What the API server takes and no field can hold counts as missing, wherever a record
// is read: one of them must not end the watch of all.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	good := func() *v1.Volume {
		v, err := readRecord([]byte(aRecord))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const time = `"lastTransitionTime":"2026-01-02T03:04:05Z"`
	for name, tc := range map[string]struct {
		was, is string // in aRecord
		change  func(*v1.Volume)
	}{
		"a capacity that takes for ever":     {`"5Gi"`, `"1e-999999999"`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"a capacity with two points":         {`"5Gi"`, `"1e1.5"`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"a capacity that is no whole number": {`"5Gi"`, `"5368709119500m"`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"a capacity beyond 64 bits":          {`"5Gi"`, `"18446744079078260736"`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"a capacity beyond 63 bits":          {`"5Gi"`, `"9999999999999999999"`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"a capacity that is a list":          {`"5Gi"`, `["5Gi"]`, func(v *v1.Volume) { v.Status.Capacity = nil }},
		"the largest capacity":               {`"5Gi"`, `"9223372036854775807"`, func(v *v1.Volume) { v.Status.Capacity = resource.NewQuantity(math.MaxInt64, resource.BinarySI) }},
		"a capacity that is a number":        {`"5Gi"`, `5368709120`, func(*v1.Volume) {}},
		"a size beyond 63 bits":              {`9007199254740993`, `1e30`, func(v *v1.Volume) { v.Spec.SizeBytes = 0 }},
		"a size of another type":             {`9007199254740993`, `"many"`, func(v *v1.Volume) { v.Spec.SizeBytes = 0 }},
		"a master of another type":           {`{"health":"online","promotable":true}`, `"none"`, func(v *v1.Volume) { v.Status.Master = &v1.Master{} }},
		"a time of ours in small letters":    {time, `"lastTransitionTime":"2026-01-02t03:04:05z"`, func(v *v1.Volume) { v.Status.Conditions = nil }},
		"a time of ours that is a number":    {time, `"lastTransitionTime":5`, func(v *v1.Volume) { v.Status.Conditions = nil }},
		"a time of others in a zone of no one": {time + `,"message":"m","reason":"R","status":"True","type":"Present"`, `"lastTransitionTime":"2026-01-02T03:04:05+99:99","message":"m","reason":"R","status":"True","type":"Theirs"`, func(v *v1.Volume) {
			v.Status.Conditions[0].Type, v.Status.Conditions[0].LastTransitionTime = "Theirs", metav1.Unix(0, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.Replace(aRecord, tc.was, tc.is, 1)
			if body == aRecord {
				t.Fatalf("%s is not in the record", tc.was)
			}
			want := good()
			tc.change(want)
			check := func(how string, got runtime.Object, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
			one, _ := clients(t, 200, body)
			got, err := one.StorageOSV1().Volumes().Get(t.Context(), "r", metav1.GetOptions{})
			check("get", got, err)
			list, _ := clients(t, 200, `{"apiVersion":"api.storageos.com/v1","items":[`+body+`],"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`)
			all, err := list.StorageOSV1().Volumes().List(t.Context(), metav1.ListOptions{})
			if err != nil || len(all.Items) != 1 {
				t.Fatalf("list: %v, %v", all, err)
			}
			check("list", &all.Items[0], nil)
			stream, _ := clients(t, 200, `{"type":"ADDED","object":`+body+"}")
			events := watched(t, stream)
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			check("watch", events[0].Object, nil)
		})
	}
}

// What is read of a watch is what the generated client reads.
func TestWatch(t *testing.T) {
	t.Parallel()
	// Of an event a watch of client-go holds 16 MiB and no more.
	large := strings.Replace(aRecord, `"a":"b"`, `"a":"`+strings.Repeat("b", 4<<20)+`"`, 1)
	const bookmark = `{"type":"BOOKMARK","object":{"apiVersion":"api.storageos.com/v1","kind":"Volume","metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"creationTimestamp":null,"resourceVersion":"8"}}}`
	for name, body := range map[string]string{
		"nothing":           ``,
		"events":            `{"type":"ADDED","object":` + aRecord + "}\n" + `{"type":"MODIFIED","object":` + aRecord + "}\n" + `{"type":"DELETED","object":` + aRecord + "}\n" + bookmark,
		"a large event":     `{"type":"ADDED","object":` + large + "}\n" + `{"type":"MODIFIED","object":` + aRecord + "}\n",
		"an error":          `{"type":"ERROR","object":` + notFoundStatus + "}\n",
		"an unknown type":   `{"type":"RENAMED","object":` + aRecord + "}\n",
		"the object first":  `{"object":` + aRecord + `,"type":"ADDED"}`,
		"an unknown object": `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Stranger"}}`,
		"a cut event":       `{"type":"ADDED","object":` + aRecord[:200],
		"no JSON":           `upstream connect error`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, generated := clients(t, 200, body)
			if diff := cmp.Diff(watched(t, generated), watched(t, ours)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// watched is all that a watch tells, without the fields that are skipped.
func watched(t *testing.T, client versioned.Interface) []watch.Event {
	t.Helper()
	w, err := client.StorageOSV1().Volumes().Watch(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var all []watch.Event
	for e := range w.ResultChan() {
		if v, ok := e.Object.(*v1.Volume); ok {
			v.ManagedFields = nil
		}
		all = append(all, e)
	}
	return all
}

// An event of a watch takes less than three quarters of what it takes the generated
// client, in allocations.
func TestAllocations(t *testing.T) { // not parallel: allocations are counted for the whole process
	allocations := func(s runtime.NegotiatedSerializer) float64 { return testing.AllocsPerRun(10, readEvent(t, s)) }
	ours, generated := allocations(serializer{generatedSerializer()}), allocations(generatedSerializer())
	if ours >= generated*3/4 {
		t.Errorf("%.0f allocations, the generated client %.0f", ours, generated)
	}
}

// A list takes no more allocations than its records do one by one: its bytes are not looked
// through again for each level of it.
func TestListAllocations(t *testing.T) { // not parallel: allocations are counted for the whole process
	const records = 100
	list := []byte(`{"apiVersion":"api.storageos.com/v1","items":[` + strings.Repeat(aRecord+",", records-1) + aRecord + `],"kind":"VolumeList","metadata":{"resourceVersion":"9"}}`)
	one := testing.AllocsPerRun(10, func() {
		if _, err := readRecord([]byte(aRecord)); err != nil {
			t.Fatal(err)
		}
	})
	all := testing.AllocsPerRun(10, func() {
		if l, err := readRecords(bytes.NewReader(list)); err != nil || len(l.Items) != records {
			t.Fatal(err)
		}
	})
	if all > records*one {
		t.Errorf("%.0f allocations for %d records, %.0f for one", all, records, one)
	}
}

func BenchmarkEvent(b *testing.B) {
	for name, s := range map[string]runtime.NegotiatedSerializer{"ours": serializer{generatedSerializer()}, "generated": generatedSerializer()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			read := readEvent(b, s)
			for b.Loop() {
				read()
			}
		})
	}
}

// readEvent reads one event of a watch.
func readEvent(t testing.TB, s runtime.NegotiatedSerializer) func() {
	event := []byte(`{"type":"ADDED","object":` + aRecord + "}")
	info, ok := runtime.SerializerInfoForMediaType(s.SupportedMediaTypes(), runtime.ContentTypeJSON)
	if !ok {
		t.Fatal("no serializer for JSON")
	}
	decoder := s.DecoderToVersion(info.Serializer, v1.SchemeGroupVersion)
	return func() {
		var e metav1.WatchEvent
		if _, _, err := info.StreamSerializer.Decode(event, nil, &e); err != nil {
			t.Fatal(err)
		}
		if _, err := runtime.Decode(decoder, e.Object.Raw); err != nil {
			t.Fatal(err)
		}
	}
}
