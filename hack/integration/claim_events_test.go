package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Who may read nothing but a namespace sees there how the volume of a claim is, if claims are to
// be told; otherwise the controller has neither the right nor a word for them.
func TestClaimEvents(t *testing.T) {
	t.Parallel()
	needsControllerManager(t)
	for name, wanted := range map[string]bool{"wanted": true, "not wanted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claimEvents(t, wanted)
		})
	}
}

func claimEvents(t *testing.T, wanted bool) {
	e := newBareEnv(t)
	ctx := context.Background()
	for _, ns := range []string{deployNamespace, "team"} {
		_, err := e.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
		e.must(err)
	}
	_, err := e.kube.RbacV1().RoleBindings("team").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "owner"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "owner"}},
	}, metav1.CreateOptions{})
	e.must(err)
	e.kubectl("apply", "-k", "deploy/crd")
	e.kubectl("apply", "-k", overlay(t, wanted))

	f := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: 1, CSI: -1})[0]
	node := e.sim.Nodes()[2].ID
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) {
		v.Labels[simulator.LabelReplicas] = "1"
		v.Replicas = []simulator.Replica{{ID: "r", NodeID: node, Promotable: true, Health: "ready"}}
	}))
	e.claimIn("team", f)
	c := e.controller(append(e.deployedArgs(), "-kubeconfig", e.deployedAs(), "-namespace", deployNamespace)...)
	e.eventually("it is recorded, with its claim", 30*time.Second, func() error {
		r, err := e.record(f.ID)
		if err == nil && (r.Status.Health != "Healthy" || r.Status.PersistentVolume == nil || r.Status.PersistentVolume.Phase != "Bound") {
			err = fmt.Errorf("%+v", r.Status)
		}
		return err
	})
	if may := e.mayTell("team"); may != wanted {
		t.Errorf("it may create events in other namespaces: %t", may)
	}
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Replicas[0].Health = "failed" }))
	e.eventually("it is said on the record", 30*time.Second, func() error { return e.said("VolumeDegraded", f.Name) })
	described := func() string { return e.kubectl("--as", "owner", "-n", "team", "describe", "pvc", "data") }
	if !wanted {
		if text := described(); strings.Contains(text, "VolumeDegraded") || c.metric("storageos_volume_events_dropped_total") != 0 {
			t.Errorf("a claim was told, or an event was lost:\n%s", text)
		}
		return
	}
	e.eventually("the owner sees it", 30*time.Second, func() error {
		if text := described(); !strings.Contains(text, "VolumeDegraded") || !strings.Contains(text, "Only 1 of 2 wanted copies is usable") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
}

// overlay is a folder whose kustomization deploys what is shipped.
func overlay(t *testing.T, claimEvents bool) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	relative, err := filepath.Rel(dir, filepath.Join(root, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	text := "resources:\n- " + relative + "\n"
	if claimEvents {
		text += "components:\n- " + relative + "/components/claim-events\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// claimIn makes the PersistentVolume of a volume and the claim "data", and waits until they are
// bound.
func (e *env) claimIn(namespace string, f simulator.Filled) {
	e.t.Helper()
	e.persistentVolume(f)
	class := "storageos"
	_, err := e.kube.CoreV1().PersistentVolumeClaims(namespace).Create(context.Background(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			VolumeName: f.Name, StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI)}},
		},
	}, metav1.CreateOptions{})
	e.must(err)
	e.eventually("the claim is bound", 30*time.Second, func() error { return e.phase(corev1.VolumeBound, f) })
}

// deployedArgs are the flags of the Deployment that are neither about where StorageOS is nor
// about the election.
func (e *env) deployedArgs() []string {
	e.t.Helper()
	d, err := e.kube.AppsV1().Deployments(deployNamespace).Get(context.Background(), "storageos-volume-sync", metav1.GetOptions{})
	e.must(err)
	return slices.DeleteFunc(d.Spec.Template.Spec.Containers[0].Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-api-") || arg == "-enable-leader-election"
	})
}

// deployedAs is a kubeconfig with the rights of the deployed controller.
func (e *env) deployedAs() string {
	e.t.Helper()
	token, err := e.kube.CoreV1().ServiceAccounts(deployNamespace).CreateToken(context.Background(), "storageos-volume-sync", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	e.must(err)
	config, err := clientcmd.LoadFromFile(e.kubeconfig)
	e.must(err)
	for user := range config.AuthInfos {
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	path := filepath.Join(e.t.TempDir(), "kubeconfig")
	e.must(clientcmd.WriteToFile(*config, path))
	return path
}

// mayTell tells whether the deployed controller may create events in a namespace.
func (e *env) mayTell(namespace string) bool {
	e.t.Helper()
	review, err := e.kube.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + deployNamespace + ":storageos-volume-sync",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Resource: "events", Verb: "create"},
		},
	}, metav1.CreateOptions{})
	e.must(err)
	return review.Status.Allowed
}
