package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/version"
)

// Where an API server has what the commands read.
const (
	volumesPath  = "/apis/api.storageos.com/v1/volumes"
	csiNodesPath = "/apis/storage.k8s.io/v1/csinodes"
	pvsPath      = "/api/v1/persistentvolumes"
	leasePath    = "/apis/coordination.k8s.io/v1/namespaces/storageos/leases/" + record.HeartbeatName
	crdPath      = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + record.CRDName
)

// answering is an API server's answers by paths. What it has none for is not found; nil is
// forbidden.
type answering map[string]any

func (a answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := a[r.URL.Path]
	code, reason := http.StatusOK, metav1.StatusReasonUnknown
	switch {
	case !ok:
		code, reason = http.StatusNotFound, metav1.StatusReasonNotFound
	case answer == nil:
		code, reason = http.StatusForbidden, metav1.StatusReasonForbidden
	}
	if code != http.StatusOK {
		answer = metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Code: int32(code), Reason: reason, Message: string(reason) + " " + r.URL.Path,
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	must(json.NewEncoder(w).Encode(answer))
}

func objectList[T any](kind schema.GroupVersionKind, items ...T) any {
	return map[string]any{"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind + "List", "metadata": map[string]any{}, "items": items}
}

// csiNodes are those of nodes, given by their names and IDs.
func csiNodes(namesAndIDs ...string) any {
	var all []storagev1.CSINode
	for of := range slices.Chunk(namesAndIDs, 2) {
		n := storagev1.CSINode{Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi.storageos.com", NodeID: of[1]}}}}
		n.Name = of[0]
		all = append(all, n)
	}
	return objectList(storagev1.SchemeGroupVersion.WithKind("CSINode"), all...)
}

// answeringOf is an API server with two volumes: one of a claim, on the node worker-1, which StorageOS
// calls host-a, and one on worker-2, of which no record has a host name. It was listed a while ago.
func answeringOf(age time.Duration) answering {
	one := volume("v1", func(r *v1.Volume) {
		r.Status.Master = &v1.Master{NodeID: "a", Hostname: "host-a", Health: "online"}
		r.Status.PersistentVolume = &v1.PersistentVolumeStatus{Name: "p-v1", Claim: &v1.ClaimReference{Namespace: "team", Name: "data"}}
	})
	two := volume("v2", func(r *v1.Volume) { r.Status.Master = &v1.Master{NodeID: "b", Health: "online"} })
	lease := &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
	records := []v1.Volume{one, two}
	for i := range records {
		records[i].Annotations[v1.AnnotationClusterID] = "c1"
	}
	at := time.Now().Add(-age)
	record.Heartbeat{Cluster: "c1", Completed: at, Recorded: at, Volumes: len(records), Records: record.SumOf(records, at)}.Write(lease, at)
	return answering{
		volumesPath:  objectList(v1.SchemeGroupVersion.WithKind("Volume"), records...),
		csiNodesPath: csiNodes("worker-1", "a", "worker-2", "b"),
		pvsPath:      objectList(corev1.SchemeGroupVersion.WithKind("PersistentVolume"), persistentVolume("v1")),
		leasePath:    lease,
	}
}

// olderOf answers behind an older CRD: a volume that a claim uses.
func olderOf() answering {
	older := volume("v1", pruned)
	lease := &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
	at := time.Now()
	record.Heartbeat{Completed: at, Recorded: at, Volumes: 1, Records: record.SumOf([]v1.Volume{older}, at)}.Write(lease, at)
	claimed := func(ns string) func(*corev1.PersistentVolume) {
		return func(pv *corev1.PersistentVolume) {
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: ns, Name: "data"}
		}
	}
	return answeringOf(0).but(volumesPath, objectList(v1.SchemeGroupVersion.WithKind("Volume"), older)).but(leasePath, lease).
		but(pvsPath, objectList(corev1.SchemeGroupVersion.WithKind("PersistentVolume"), persistentVolume("v1", claimed("team")), persistentVolume("v9", claimed("lost"))))
}

// but is what it is with another answer, or with none at all if there is no other.
func (a answering) but(path string, answer ...any) answering {
	delete(a, path)
	for _, other := range answer {
		a[path] = other
	}
	return a
}

// ask runs a command against an API server.
func ask(t *testing.T, server http.Handler, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := httptest.NewServer(server)
	defer s.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"one","users":[{"name":"u","user":{}}],
		"clusters":[{"name":"c","cluster":{"server":"` + s.URL + `"}}],
		"contexts":[{"name":"one","context":{"cluster":"c","user":"u"}},{"name":"other","context":{"cluster":"c","user":"u"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	streams, _, out, errs := genericiooptions.NewTestIOStreams()
	code = run(append([]string{"--kubeconfig", kubeconfig}, args...), streams)
	return code, out.String(), errs.String()
}

// What is asked for is answered, and what cannot be told is no "none".
func TestCommands(t *testing.T) {
	t.Parallel()
	const minute, anywhere = time.Minute, "1 volume has a copy of which StorageOS does not say on which node it is: it may be on any.\n"
	for name, tc := range map[string]struct {
		of    answering
		args  string
		code  int
		shows string // what is in the table, "" for none
		says  string // on standard error
	}{
		"a node by its CSINode":           {answeringOf(0), "list --node worker-2", 0, "r-v2 ", ""},
		"a node as -o name prints it":     {answeringOf(0), "list --node node/worker-2", 0, "r-v2 ", ""},
		"a node by its host name":         {answeringOf(0), "list --node host-a", 0, "r-v1 ", ""},
		"a node that may be another, too": {answeringOf(0).but(csiNodesPath, csiNodes()), "list --node host-a", 0, "r-v1 ", "There may be more: no CSINode says which node of StorageOS host-a is: it could be StorageOS's node b, which no CSINode names.\n"},
		"a node by its host name alone":   {answeringOf(0).but(csiNodesPath, nil), "list --node host-a", 0, "r-v1 ", "There may be more: which node of StorageOS host-a is cannot be told: listing CSINodes"},
		"a node by its ID":                {answeringOf(0).but(csiNodesPath, nil), "list --node a", 0, "r-v1 ", ""},
		"one that may be called so":       {withHost(answeringOf(0)).but(csiNodesPath, nil), "list --node host-a", 0, "r-v1 ", "There may be more: which node of StorageOS host-a is cannot be told: listing CSINodes"},
		"a node that CSINodes would name": {answeringOf(0).but(csiNodesPath, nil), "list --node worker-2", 2, "", "error: which node of StorageOS worker-2 is cannot be told: listing CSINodes"},
		"a node that nobody knows":        {answeringOf(0), "list --node worker-9", 1, "", "no node with volumes is called worker-9"},
		"a node of two host names":        {withRenamed(answeringOf(0)), "list --node host-new", 0, "r-v1 ", ""},
		"its name of before is another's": {withRecordOfBefore(answeringOf(0)), "list --node worker-1 -o jsonpath={.items[*].metadata.name}", 0, "r-v1 r-v3", ""},
		"a node without its CSINode":      {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a")), "list --node worker-2", 2, "", "error: no CSINode says which node of StorageOS worker-2 is: it could be StorageOS's node b, which no CSINode names\n"},
		"a node with one of before":       {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "old")), "list --node worker-2", 2, "", "error: the CSINode of worker-2 may be of before it was made anew: it could be StorageOS's node b, which no CSINode names\n"},
		"a node without volumes":          {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "b", "worker-3", "c")), "list --node worker-3", 0, "", "No resources found\n"},

		"nodes as a table prints one": {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-7", "a", "worker-2", "b")), "list --node worker-1,worker-7", 0, "r-v1 ", ""},
		"an unset health":             {answeringOf(0), "list --health=", 2, "", "error: --health is empty"},
		"an empty node":               {answeringOf(0), "list --node=", 2, "", "error: --node is empty"},
		"an empty node beside one":    {answeringOf(0), "list --node worker-2,", 2, "", "error: --node is empty"},
		"an empty node after one":     {answeringOf(0), "list --node worker-1 --node=", 2, "", "error: --node is empty"},
		"two nodes":                   {answeringOf(0), "list --node worker-1 --node worker-2", 0, "r-v2 ", ""},

		"volumes that are old":      {answeringOf(12 * minute), "list", 0, "r-v1 ", "StorageOS was last listed completely 12m"},
		"volumes of a time to come": {answeringOf(-2 * minute), "list", 0, "r-v1 ", "Whether the records are up to date cannot be told: the clock here is "},
		"volumes, and no Lease":     {answeringOf(0).but(leasePath), "list", 0, "r-v1 ", "Whether the records are up to date cannot be told: there is no Lease of the listings in namespace storageos: "},
		"volumes, and no right":     {answeringOf(0).but(leasePath, nil), "list", 0, "r-v1 ", "Whether the records are up to date cannot be told: there is no right to get the Lease storageos-volume-sync-listing in namespace storageos, which the ClusterRole storageos-volume-sync-on-call has.\n"},
		"no right to volumes":       {answeringOf(0).but(leasePath).but(volumesPath, nil), "list", 2, "", "ask for the right to list volumes.api.storageos.com"},
		"nodes that are up to date": {answeringOf(0), "nodes", 0, "worker-1 ", ""},
		"nodes that are old":        {answeringOf(12 * minute), "nodes", 0, "worker-1 ", "StorageOS was last listed completely 12m"},
		"nodes, and no Lease":       {answeringOf(0).but(leasePath), "nodes", 0, "worker-1 ", "Whether the records are up to date cannot be told: "},
		"nodes, and no right":       {answeringOf(0).but(leasePath, nil), "nodes", 0, "worker-1 ", "Whether the records are up to date cannot be told: there is no right "},
		"nodes without CSINodes":    {answeringOf(0).but(csiNodesPath, nil), "nodes", 0, "host-a ", "Without the right to list CSINodes, nodes without volumes are not shown"},
		"nodes of no CSINode":       {answeringOf(0).but(csiNodesPath, csiNodes()), "nodes", 0, "host-a ", ""},
		"nodes of some CSINodes":    {answeringOf(0).but(csiNodesPath, csiNodes("worker-9", "x")), "nodes", 0, "host-a ", "No CSINode names StorageOS's node b or host-a (a); the CSINode of worker-9 may be of before it was made anew.\n"},
		"one of before":             {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "old")), "nodes", 0, "worker-2 ", "No CSINode names StorageOS's node b; the CSINode of worker-2 may be of before it was made anew.\n"},
		"two of before":             {answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "x", "worker-2", "y")), "nodes", 0, "worker-2 ", "; the CSINodes of worker-1 and worker-2 may be of before they were made anew.\n"},
		"no records any more":       {answeringOf(0).but(volumesPath, objectList[v1.Volume](v1.SchemeGroupVersion.WithKind("Volume"))), "list -o json", 0, `"items": []`, "StorageOS has listed 2 volumes, and there are records of 0.\n"},
		"orphans, and no records":   {answeringOf(0).but(volumesPath, objectList[v1.Volume](v1.SchemeGroupVersion.WithKind("Volume"))), "orphans", 0, "missing_volume   p-v1", "StorageOS has listed 2 volumes, and there are records of 0.\n"},
		"a record without status":   {withBareRecord(answeringOf(0)).but(pvsPath, nil), "list", 0, "r-v1 ", "1 record has no status yet: where the copies are is not known. 1 record does not say yet which claim uses the volume.\n"},
		"and no Lease":              {withBareRecord(answeringOf(0)).but(leasePath, nil), "nodes", 0, "worker-2 ", "Whether the records are up to date cannot be told: there is no right to get the Lease storageos-volume-sync-listing in namespace storageos, which the ClusterRole storageos-volume-sync-on-call has. 1 record has no status yet: where the copies are is not known.\n"},
		"of which the copies tell":  {withBareRecord(answeringOf(0)).but(pvsPath, nil), "list --health Unknown", 0, "r-v3 ", "1 record has no status yet: where the copies are is not known. 1 record does not say yet which claim uses the volume.\n"},
		"and PersistentVolumes do":  {withBareRecord(answeringOf(0)), "list --health Unknown", 0, "r-v3 ", "1 record has no status yet: where the copies are is not known.\n"},
		"of which no node tells":    {withBareRecord(answeringOf(0)), "list --node worker-2", 0, "r-v2 ", "1 record has no status yet: where the copies are is not known.\n"},
		"nor on which node it is":   {withBareRecord(answeringOf(0)), "nodes", 0, "worker-2 ", "1 record has no status yet: where the copies are is not known.\n"},
		"a copy that is anywhere":   {withUnplaced(answeringOf(0)), "list --node worker-2", 0, "r-v2 ", anywhere},
		"also where nobody is":      {withUnplaced(answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "b", "worker-3", "c"))), "list --node worker-3", 0, "", "No resources found\n" + anywhere},
		"and of all nodes":          {withUnplaced(answeringOf(0)), "nodes", 0, "worker-2 ", anywhere},
		"not for all volumes":       {withUnplaced(answeringOf(0)), "list", 0, "r-v3 ", ""},
		"another record for one":    {answeringOf(0).but(volumesPath, objectList(v1.SchemeGroupVersion.WithKind("Volume"), volume("v1"), volume("v3", justMade))), "list", 0, "r-v3 ", "There are other records than the controller knew of when StorageOS was last listed: there may be more volumes.\n"},
		"a volume that is gone":     {withKept(answeringOf(0)), "list", 0, "r-v3 ", ""},
		"so is its copy":            {withKeptUnplaced(answeringOf(0)), "list --node worker-2", 0, "r-v2 ", ""},
		"is on no node":             {withKept(answeringOf(0)), "nodes -o jsonpath={.items[0].name}", 0, "worker-1", ""},
		"none has one":              {answeringOf(0).but(volumesPath, objectList(v1.SchemeGroupVersion.WithKind("Volume"), volume("v1", pruned))).but(pvsPath, nil), "list", 2, "", "the CRD of the records is an older one"},
		"orphans":                   {answeringOf(0), "orphans", 0, "There are no orphans.\n", "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed.\n"},
		"orphans of one namespace":  {answeringOf(0), "orphans -n team-1", 0, "There are no orphans of claims in namespace team-1.\n", "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed.\n"},
		"orphans of another":        {answeringOf(0).but(volumesPath, objectList[v1.Volume](v1.SchemeGroupVersion.WithKind("Volume"))), "orphans -n team-1", 0, "There are no orphans of claims in namespace team-1 among what is recorded.\n", "StorageOS has listed 2 volumes, and there are records of 0. 1 orphan is left out, as nobody knows whose claim has used the volume: see without --namespace.\n"},
		"nodes of one namespace":    {answeringOf(0), "nodes -n team-1", 0, "worker-1 ", "Nodes have no namespace: --namespace does nothing here.\n"},
		"a drain in one":            {answeringOf(0), "drain-check worker-2 -n team-1", 2, "", "A drain concerns volumes of all namespaces: --namespace does nothing here.\nerror: this cluster knows no volumes.api.storageos.com: install the controller with its CRD (deploy/crd, or crds.yaml of the release), or choose another cluster by --context\n"},
		"orphans that are old":      {answeringOf(12 * minute), "orphans", 0, "There are no orphans among what is recorded.\n", "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed. StorageOS was last listed completely 12m"},
		"orphans of another driver": {answeringOf(0), "orphans --csi-driver typo", 0, "There are no orphans among what is recorded.\n", "Records name PersistentVolumes, and none is of the CSI driver typo (--csi-driver).\n"},
		"orphans, and no Lease":     {answeringOf(0).but(leasePath), "orphans", 0, "There are no orphans among what is recorded.\n", "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed. Whether the records are up to date cannot be told: there is no Lease "},
		"nodes as an array":         {answeringOf(0), "nodes -o json", 0, "[\n    {\n        \"name\": ", ""},
		"nodes in a template":       {answeringOf(0), "nodes -o jsonpath={.kind}", 0, "List", ""},
		"orphans as an array":       {answeringOf(0), "orphans -o json", 0, "[]\n", "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed.\n"},
		"records as a List":         {answeringOf(0), "list -o json", 0, `"kind": "List"`, ""},

		"a label that none has there":     {answeringOf(0), "list --node host-a -l " + v1.LabelVolumeID + "=v2", 0, "", "No resources found\n"},
		"a label that another volume has": {answeringOf(0), "list r-v1 -l " + v1.LabelVolumeID + "=v2", 0, "", "No resources found\n"},
		"a label":                         {answeringOf(0), "list -l " + v1.LabelVolumeID + "=v2", 0, "r-v2 ", ""},
		"no label":                        {answeringOf(0), "list -l a=b=c", 2, "", "error: --selector \"a=b=c\": "},

		"a record as -o name prints it":    {answeringOf(0), "list volume.api.storageos.com/r-v2", 0, "r-v2 ", ""},
		"a PersistentVolume as well":       {answeringOf(0), "list persistentvolume/p-v1", 0, "r-v1 ", ""},
		"a claim in its namespace":         {answeringOf(0), "list data -n team", 0, "r-v1 ", ""},
		"a claim in another namespace":     {answeringOf(0), "list data -n other", 1, "", "error: no volume of a claim in namespace other is called data, "},
		"the same as a document":           {answeringOf(0), "list data -n other -o json", 1, `"items": []`, "error: no volume of a claim in namespace other is called data, "},
		"nodes of all namespaces":          {answeringOf(0), "nodes -A -n team-1 -o name", 0, "node/worker-1\n", ""},
		"a driver that is none":            {olderOf(), "list -n team --csi-driver typo", 0, "", "No resources found of claims in namespace team\nThe CRD of the records is an older one, which does not keep claims, and no PersistentVolume of the CSI driver typo (--csi-driver) refers to a volume.\n"},
		"the driver that it is":            {olderOf(), "list -n team", 0, "r-v1 ", ""},
		"orphans of a driver that is none": {olderOf(), "orphans -n lost --csi-driver typo", 0, "There are no orphans of claims in namespace lost among what is recorded.\n", "no PersistentVolume of the CSI driver typo (--csi-driver) refers to a volume.\n"},
		"all namespaces":                   {answeringOf(0), "list data -n other -A", 0, "r-v1 ", ""},
		"orphans of all of them":           {answeringOf(0).but(leasePath), "orphans -A -n other", 0, "There are no orphans among", "1 volume has no PersistentVolume"},
		"the version as a document":        {answeringOf(0), "version -o jsonpath={.version}/{.commit}", 0, version.Version() + "/" + version.Commit(), ""},
		"the version as a row":             {answeringOf(0), "version -o custom-columns=A:.version", 0, "A\n" + version.Version() + "\n", ""},
		"the version in no format":         {answeringOf(0), "version -o xml", 2, "", "error: unknown output format \"xml\""},
		"nothing in a namespace":           {answeringOf(0), "list -n other", 0, "", "No resources found of claims in namespace other\n"},
		"no node at all":                   {answeringOf(0), "list --node node/", 1, "", "no node with volumes is called node/"},
		"no name at all":                   {answeringOf(0), "list /", 1, "", "no volume is called /, "},
		"a name that is not there, twice":  {answeringOf(0), "list x x", 1, "", "no volume is called x, nor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := ask(t, tc.of, strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(stdout, tc.shows) || (tc.shows == "") != (stdout == "") {
				t.Errorf("exit code %d, want %d; it shows %q and says\n%s", code, tc.code, stdout, stderr)
			}
			if !strings.Contains(stderr, tc.says) || (tc.says == "") != (stderr == "") || strings.Count(stderr, "\n") > max(1, strings.Count(tc.says, "\n")) {
				t.Errorf("it says %q, want %q", stderr, tc.says)
			}
		})
	}
}

// withBareRecord has one more record, which was just made.
func withBareRecord(of answering) answering {
	list := of[volumesPath].(map[string]any)
	list["items"] = append(list["items"].([]v1.Volume), volume("v3", bare, justMade))
	return of
}

func justMade(r *v1.Volume) { r.CreationTimestamp = metav1.Now() }

// withHost knows the host name of each node.
func withHost(of answering) answering {
	of[volumesPath].(map[string]any)["items"].([]v1.Volume)[1].Status.Master.Hostname = "host-b"
	return of
}

// withRenamed has one more volume on a node that this one's record calls by another host name.
func withRenamed(of answering) answering {
	list := of[volumesPath].(map[string]any)
	list["items"] = append(list["items"].([]v1.Volume), volume("v3", justMade, func(r *v1.Volume) {
		r.Annotations[v1.AnnotationClusterID], r.Status.Master = "c1", &v1.Master{NodeID: "a", Hostname: "host-new", Health: "online"}
	}))
	return of
}

// withKept has one more record, whose volume is proven gone, while deletions are switched off.
func withKept(of answering) answering {
	list, lease := of[volumesPath].(map[string]any), of[leasePath].(*coordinationv1.Lease)
	kept := volume("v3", absent, func(r *v1.Volume) {
		r.UID, r.Annotations[v1.AnnotationClusterID], r.Status.Master = "kept", "c1", &v1.Master{NodeID: "c", Hostname: "host-c", Health: "online"}
	})
	list["items"] = append(list["items"].([]v1.Volume), kept)
	h, err := record.ReadHeartbeat(lease)
	must(err)
	h.Kept = record.SumOfOne(kept.UID)
	h.Records += h.Kept
	h.Write(lease, h.Completed)
	return of
}

// withKeptUnplaced has it, too, and nobody knows where its copy was.
func withKeptUnplaced(of answering) answering {
	withKept(of)[volumesPath].(map[string]any)["items"].([]v1.Volume)[2].Status.Master.NodeID = ""
	return of
}

// withRecordOfBefore has one more record, whose volume is proven gone, that calls a node what another is
// called now.
func withRecordOfBefore(of answering) answering {
	items := withKept(of)[volumesPath].(map[string]any)["items"].([]v1.Volume)
	items[2].Status.Master = &v1.Master{NodeID: "b", Hostname: "worker-1", Health: "online"}
	items[1].Status.Master.Hostname = "worker-2"
	return of
}

// withUnplaced has one more volume, of which nobody knows where its copy is.
func withUnplaced(of answering) answering {
	list := of[volumesPath].(map[string]any)
	list["items"] = append(list["items"].([]v1.Volume), volume("v3", justMade, func(r *v1.Volume) {
		r.Annotations[v1.AnnotationClusterID], r.Status.Master = "c1", &v1.Master{Health: "online"}
	}))
	return of
}

// What is completed is answered: in a namespace, only what claims there use.
func TestCompleteInNamespace(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"__complete list ":            "r-v1\nr-v2\n:4\n",
		"__complete list -n team ":    "r-v1\n:4\n",
		"__complete list -n team -A ": "r-v1\nr-v2\n:4\n",
	} {
		if code, stdout, _ := ask(t, answeringOf(0), strings.Split(args, " ")...); code != 0 || stdout != want {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stdout, want)
		}
	}
}

// Namespaces are completed of which there is something to show: orphans knows more of them.
func TestCompleteNamespaces(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"__complete list -n ":    "team\n:4\n",
		"__complete orphans -n ": "lost\nteam\n:4\n",
	} {
		if code, stdout, _ := ask(t, olderOf(), strings.Split(args, " ")...); code != 0 || stdout != want {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stdout, want)
		}
	}
}

// No file is offered where none is meant.
func TestCompleteNoFiles(t *testing.T) {
	t.Parallel()
	const noFiles, files, folders = ":4\n", ":0\n", ":16\n"
	for args, want := range map[string]string{
		"version ":                     noFiles,
		"list --namespace ":            "team\n" + noFiles,
		"list -n x":                    noFiles,
		"nodes --context ":             "one\nother\n" + noFiles,
		"list --context ot":            "other\n" + noFiles,
		"list -l ":                     noFiles,
		"drain-check --selector ":      noFiles,
		"verify --api-endpoint ":       noFiles,
		"list --kubeconfig ":           files,
		"verify --api-ca-file ":        files,
		"verify --api-secret-path ":    folders,
		"drain-check ":                 "worker-1\nworker-2\n" + noFiles,
		"drain-check worker-1 worker-": "worker-2\n" + noFiles,
	} {
		code, stdout, stderr := ask(t, answeringOf(0), append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if code != exitOK || stdout != want {
			t.Errorf("%q: exit code %d, %q, want %q\n%s", args, code, stdout, want, stderr)
		}
	}
}

func fromYAML(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := yaml.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
