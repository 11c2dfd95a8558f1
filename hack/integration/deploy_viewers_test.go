package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Whoever may look at a cluster may look at its volumes, and do nothing else with them.
func TestDeployViewers(t *testing.T) {
	t.Parallel()
	e := newBareEnv(t)
	needsControllerManager(t) // it puts the rights together
	ctx := context.Background()
	_, err := e.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: deployNamespace}}, metav1.CreateOptions{})
	e.must(err)
	e.kubectl("apply", "-k", "deploy/crd")
	e.kubectl("apply", "-k", "deploy")
	for _, role := range []string{"view", "edit", "admin"} {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
		subject := func(name string) []rbacv1.Subject {
			return []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}}
		}
		everywhere, inOne := role+"-everywhere", role+"-in-one"
		_, err := e.kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: everywhere}, RoleRef: ref, Subjects: subject(everywhere),
		}, metav1.CreateOptions{})
		e.must(err)
		_, err = e.kube.RbacV1().RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: inOne}, RoleRef: ref, Subjects: subject(inOne),
		}, metav1.CreateOptions{})
		e.must(err)
		e.eventually(everywhere+" may list volumes", 20*time.Second, func() error { return e.may(everywhere, "list", "", true) })
		for _, tc := range []struct {
			user, verb, subresource string
			may                     bool
		}{
			{everywhere, "get", "", true},
			{everywhere, "watch", "", true},
			{everywhere, "create", "", false},
			{everywhere, "update", "", false},
			{everywhere, "patch", "", false},
			{everywhere, "patch", "status", false},
			{everywhere, "delete", "", false},
			{everywhere, "deletecollection", "", false},
			{inOne, "list", "", false}, // volumes have no namespace
		} {
			if err := e.may(tc.user, tc.verb, tc.subresource, tc.may); err != nil {
				t.Error(err)
			}
		}
	}
}

// may is nil if a user may do so with volumes, or may not.
func (e *env) may(user, verb, subresource string, want bool) error {
	review, err := e.kube.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: "api.storageos.com", Resource: "volumes", Subresource: subresource, Verb: verb,
			},
		},
	}, metav1.CreateOptions{})
	if err == nil && review.Status.Allowed != want {
		err = fmt.Errorf("%s may %s volumes %s: %t, want %t", user, verb, subresource, review.Status.Allowed, want)
	}
	return err
}

// Who is on call reads with the rights that are meant for it what the plugin tells, and changes nothing.
func (e *env) tellsOnCall(t *testing.T) {
	t.Helper()
	const user = "on-call"
	e.kubectl("create", "clusterrolebinding", user, "--clusterrole=storageos-volume-sync-on-call", "--user="+user)
	for _, node := range e.sim.Nodes() {
		_, err := e.kube.StorageV1().CSINodes().Create(context.Background(), &storagev1.CSINode{
			ObjectMeta: metav1.ObjectMeta{Name: node.Name},
			Spec:       storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi.storageos.com", NodeID: node.ID}}},
		}, metav1.CreateOptions{})
		e.must(err)
	}
	node := e.sim.Nodes()[0].Name
	_, err := e.kube.CoreV1().Nodes().Create(context.Background(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node, Labels: map[string]string{"zone": "a"}},
	}, metav1.CreateOptions{})
	e.must(err)
	path := filepath.Join(t.TempDir(), "kubectl-storageos_volumes")
	build(t, "../../cmd/kubectl-storageos_volumes", path)
	for args, want := range map[string]int{
		"list": 0, "list --node " + node: 0, "nodes": 0, "orphans": 0,
		"drain-check " + node: 1, "drain-check --selector zone=a": 1,
	} {
		out, said := e.plugin(path, want, append(strings.Fields(args), "--as", user, "--controller-namespace", deployNamespace)...)
		early := args == "orphans" && strings.HasSuffix(said, " given time to get one before being called unclaimed.\n") // as they are new
		if out == "" || said != "" && !early {
			t.Errorf("%s: %q, and it said %q", args, out, said)
		}
	}
	if err := e.may(user, "delete", "", false); err != nil {
		t.Error(err)
	}
	if err := e.may(user, "patch", "", false); err != nil {
		t.Error(err)
	}
}
