package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// right is a verb on a resource, in a namespace or for all, and on one name or all.
type right struct{ verb, resource, namespace, name string }

func (r right) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.verb, r.resource, r.namespace, r.name))
}

// fallBacks are needed where there is no watch-list.
var fallBacks = map[right]bool{
	{"list", "persistentvolumes", "", ""}:                               true,
	{"list", "storage.k8s.io/volumeattachments", "", ""}:                true,
	{"list", "coordination.k8s.io/leases", deployNamespace, deployName}: true,
}

// granted are the rights that the applied roles give.
func (e *env) granted() map[right]bool {
	e.t.Helper()
	ctx := context.Background()
	granted := map[right]bool{}
	add := func(namespace string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range append(rule.ResourceNames, "")[:max(1, len(rule.ResourceNames))] {
							granted[right{verb, inGroup(group, resource), namespace, name}] = true
						}
					}
				}
			}
		}
	}
	cluster, err := e.kube.RbacV1().ClusterRoles().Get(ctx, deployName, metav1.GetOptions{})
	e.must(err)
	add("", cluster.Rules)
	roles, err := e.kube.RbacV1().Roles(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + deployName})
	e.must(err)
	for _, r := range roles.Items {
		add(r.Namespace, r.Rules)
	}
	return granted
}

func inGroup(group, resource string) string {
	if group == "" {
		return resource
	}
	return group + "/" + resource
}

// auditEntry is a line of the API server's audit log.
type auditEntry struct {
	Stage, Verb, RequestURI string
	User                    struct{ Username string }
	ObjectRef               struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus          struct{ Code int }
	Annotations             map[string]string
}

// requests are the rights that the deployed program has used. A request that
// was refused is an error.
func (e *env) requests() map[right]bool {
	e.t.Helper()
	file, err := os.Open(filepath.Join(filepath.Dir(e.kubeconfig), "audit.log"))
	e.must(err)
	defer file.Close()
	used := map[right]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a auditEntry
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue // a last line that is being written
		}
		if a.User.Username != "system:serviceaccount:"+deployNamespace+":"+deployName {
			continue
		}
		code := a.ResponseStatus.Code
		if code == http.StatusUnauthorized || code == http.StatusForbidden || a.Annotations["authorization.k8s.io/decision"] == "forbid" {
			e.t.Errorf("refused: %s %s: %d", a.Verb, a.RequestURI, code)
			continue
		}
		resource := inGroup(a.ObjectRef.APIGroup, a.ObjectRef.Resource)
		if a.ObjectRef.Subresource != "" {
			resource += "/" + a.ObjectRef.Subresource
		}
		for _, name := range []string{"", a.ObjectRef.Name} {
			used[right{a.Verb, resource, a.ObjectRef.Namespace, name}] = true
		}
	}
	e.must(lines.Err())
	return used
}
