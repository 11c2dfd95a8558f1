package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// rules are what the controller needs without an election.
var rules = []rbacv1.PolicyRule{
	{APIGroups: []string{"api.storageos.com"}, Resources: []string{"volumes"}, Verbs: []string{"create", "delete", "get", "list", "patch", "watch"}},
	{APIGroups: []string{"api.storageos.com"}, Resources: []string{"volumes/status"}, Verbs: []string{"patch"}},
	{APIGroups: []string{""}, Resources: []string{"persistentvolumes"}, Verbs: []string{"list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
}

// account makes a service account with these rules and a kubeconfig for it.
func (e *env) account(name string) (kubeconfig string) {
	e.t.Helper()
	ctx := context.Background()
	accounts := e.kube.CoreV1().ServiceAccounts("default")
	_, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	e.must(err)
	_, err = e.kube.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
	e.must(err)
	e.grant(name)
	token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	e.must(err)
	config, err := clientcmd.LoadFromFile(e.kubeconfig)
	e.must(err)
	for user := range config.AuthInfos {
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	kubeconfig = filepath.Join(e.t.TempDir(), "kubeconfig")
	e.must(clientcmd.WriteToFile(*config, kubeconfig))
	return kubeconfig
}

// grant binds the role of an account.
func (e *env) grant(name string) {
	e.t.Helper()
	_, err := e.kube.RbacV1().ClusterRoleBindings().Create(context.Background(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: name}},
	}, metav1.CreateOptions{})
	e.must(err)
}

// The rights are taken away and given back.
func TestFaultAccess(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 20, CSI: -1})
	c := e.controller("-kubeconfig", e.account("sync"), "-orphan-grace-period", "0")
	e.eventually("20 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.must(e.kube.RbacV1().ClusterRoleBindings().Delete(context.Background(), "sync", metav1.DeleteOptions{}))
	time.Sleep(time.Second) // the API server takes note of it
	for _, f := range filled {
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 }))
	}
	e.eventually("writes are refused", 10*time.Second, func() error {
		if c.metric("storageos_sync_volume_errors_total", "save") == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	e.grant("sync")
	begun := time.Now()
	e.eventually("every record is right", 10*time.Second, func() error { return e.right(filled, 77<<30) })
	healed(t, "Kubernetes: rights are withdrawn and given back", "writes are refused, counted and tried again", begun)
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}
