package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
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
