package realtools

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ownImage is what the documented installation names.
const ownImage = "registry.example.com/volume-sync-controller"

// release installs, upgrades, rolls back, uninstalls, and installs again.
func release(w *world) {
	digest := "sha256:" + strings.Repeat("0f", 32)
	for interval, warned := range map[string]bool{"5s": false, "500ms": false, "30000ms": false, "40000ms": true, "30s": false, "30.5s": true, "0.5m": false, "20s500ms": false, "030.0s": false, "0.001h": false, "29s1500ms": true, "45s": true, "1m": true} {
		if notes := w.run(install + " --dry-run=server --set interval=" + interval); strings.Contains(notes, "! drain-check and the alerts want") != warned {
			w.t.Errorf("an interval of %s is warned of: %t, want %t:\n%s", interval, !warned, warned, notes)
		}
	}
	if notes := w.run(install + " --dry-run=server --set crds.enabled=false"); !strings.Contains(notes, "! There is no CRD") {
		w.t.Errorf("the notes do not say that nobody brings the CRD:\n%s", notes)
	}
	w.run("kubectl apply -f hack/realtools/testdata/installer.yaml")
	w.run(install + " --dry-run=server --set crds.enabled=false --kube-as-user installer --kube-as-group installers")
	notes := w.run(documented(w.t, install+" --set image.repository="+ownImage) + " " +
		documented(w.t, "--set serviceMonitor.enabled=true --set prometheusRule.enabled=true --set dashboard.enabled=true"))
	w.notes(notes)
	for _, object := range []string{"servicemonitor/" + name, "prometheusrule/" + name, "configmap/" + name + "-dashboard"} {
		if w.get("-n", namespace, object) == nil {
			w.t.Errorf("there is no %s", object)
		}
	}
	w.keeps()
	w.looks()
	w.run("kubectl -n storageos create service clusterip storageos --tcp=5705")

	changed := w.run(documented(w.t, upgrade+" "+rehearsed) + " --set replicas=3 --set resources.requests=null " +
		documented(w.t, `--set priorityClassName=""`) + " " + documented(w.t, "--set openshift=true") + " --set image.digest=" + digest + " " +
		strings.ReplaceAll(documented(w.t, "--set serviceMonitor.labels.release=NAME --set prometheusRule.labels.release=NAME"), "NAME", "stack"))
	if strings.Contains(changed, "! There is no") || !strings.Contains(changed, "It deletes no record") {
		w.t.Errorf("the notes of an upgrade warn, or do not say that nothing is deleted:\n%s", changed)
	}
	w.deployment(3, "spec", "replicas")
	w.deployment("map[runAsNonRoot:true seccompProfile:map[type:RuntimeDefault]]", "spec", "template", "spec", "securityContext")
	w.deployment(nil, "spec", "template", "spec", "priorityClassName")
	w.deployment(ownImage+"@"+digest, "spec", "template", "spec", "containers", 0, "image")
	w.deployment("-delete-orphans=false", "spec", "template", "spec", "containers", 0, "args", 3)
	for _, object := range []string{"servicemonitor", "prometheusrule"} {
		if got := w.get("-n", namespace, object, name).at("metadata", "labels", "release"); got != "stack" {
			w.t.Errorf("%s has the label release: %v", object, got)
		}
	}
	w.same()

	w.run(upgrade + " --reuse-values")
	w.deployment(3, "spec", "replicas")
	w.run("kubectl -n storageos create secret generic older --from-literal=apiUsername=x --from-literal=apiPassword=x")
	w.run("kubectl -n storageos create secret generic empty --from-literal=username=x --from-literal=password=")
	for secret, says := range map[string]string{
		"older":    "! The Secret older has not the keys username and password",
		"empty":    "! The Secret empty has not the keys username and password, or one is empty",
		"mistyped": "! There is no Secret mistyped",
	} {
		if notes := w.run(upgrade + " --dry-run=server --set secretName=" + secret); !strings.Contains(notes, says) {
			w.t.Errorf("the notes do not say %q:\n%s", says, notes)
		}
	}
	w.run("kubectl -n storageos delete secret older empty")
	for endpoint, says := range map[string]bool{
		"HTTPS://Storageos:5705/": false, "http://storageos/": false, "storageos.elsewhere": false, "10.0.0.1:5705": false, "[fe80::1]": false, "localhost": false,
		"https://storage:5705/": true, "storageos-api": true,
	} {
		if notes := w.run(upgrade + " --dry-run=server --set endpoint=" + endpoint); strings.Contains(notes, "! There is no Service") != says {
			w.t.Errorf("with endpoint=%s the notes say\n%s", endpoint, notes)
		}
	}
	w.run("kubectl -n storageos delete service storageos")

	w.run(strings.Replace(documented(w.t, "helm rollback storageos-volume-sync NUMBER --namespace storageos"), "NUMBER", "1", 1))
	w.deployment(2, "spec", "replicas")
	w.deployment(nil, "spec", "template", "spec", "containers", 0, "args", 3)
	w.deployment(65532, "spec", "template", "spec", "securityContext", "runAsUser")
	w.same()

	// What was stopped by hand an upgrade starts: it is what the chart says.
	w.run(documented(w.t, "kubectl -n storageos scale deployment storageos-volume-sync --replicas=0"))
	w.run(documented(w.t, upgrade))
	w.deployment(2, "spec", "replicas")
	w.deployment(ownImage+":"+w.version(), "spec", "template", "spec", "containers", 0, "image") // as it was set
	w.keeps()

	// Stopped by a value it stays so.
	if notes := w.run(documented(w.t, upgrade+" --reset-then-reuse-values --set replicas=0")); !strings.Contains(notes, "It is stopped, as replicas is 0: no record changes any more.") {
		w.t.Errorf("the notes do not say that it is stopped:\n%s", notes)
	}
	w.run(upgrade)
	w.deployment(0, "spec", "replicas")

	w.uninstalled()
	w.run(install + " --values " + otherValues) // the same name: the CRD is its own still
	w.showsEveryValue()
	w.keeps()
	w.uninstalled()
	other := strings.Replace(install, " storageos-volume-sync", " other", 1)
	w.refused(other, noOwner)
	w.run(other + " --take-ownership")
	w.keeps()
	w.refused(install+" --take-ownership", "the release other has installed the controller here: upgrade that one, or uninstall it first")
	elsewhere := strings.Replace(install, "--namespace storageos", "--namespace elsewhere --create-namespace", 1) + " --take-ownership"
	w.refused(elsewhere, "there is a controller in the namespace storageos, which would lose its rights to this one, in elsewhere")
	w.keeps()
	w.run(`kubectl patch clusterrolebinding storageos-volume-sync --type=json -p '[{"op":"add","path":"/subjects/-",` +
		`"value":{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"ops"}}]'`)
	w.run("kubectl annotate --overwrite clusterrolebinding storageos-volume-sync meta.helm.sh/release-name=gone") // as one that has taken it left it
	w.run("helm upgrade other deploy/chart --namespace storageos --force-conflicts")
	w.run("helm uninstall other --namespace storageos")
	w.gone()
	w.run(elsewhere)
	w.run("kubectl delete namespace elsewhere") // with the release, and not with what has no namespace
	w.run(install + " --take-ownership --force-conflicts")
	w.uninstalled()
}

var noted = regexp.MustCompile(`(?m)^ +(kubectl .*)$`)

// notes does what the notes of an installation say, where nobody has made the Secret.
func (w *world) notes(notes string) {
	w.t.Helper()
	if !strings.Contains(notes, "! There is no Secret storageos-api in this namespace") ||
		!strings.Contains(notes, "! There is no Service storageos in this namespace") || strings.Contains(notes, "no CRD") {
		w.t.Errorf("the notes do not say what is missing, or say what is not:\n%s", notes)
	}
	w.serves()
	commands := noted.FindAllStringSubmatch(notes, -1)
	if len(commands) != 5 {
		w.t.Errorf("the notes have %d commands:\n%s", len(commands), notes)
	}
	for _, c := range commands {
		command := c[1]
		if strings.Contains(command, "rollout status") {
			command += " --watch=false" // there is no node
		}
		w.run(command)
	}
	if w.get("-n", namespace, "secret", "storageos-api") == nil {
		w.t.Error("the notes' command made no Secret storageos-api")
	}
	if again := w.run("helm get notes storageos-volume-sync --namespace storageos"); !strings.Contains(again, "It lists StorageOS at storageos every 5s") {
		w.t.Errorf("the notes do not say what is listed:\n%s", again)
	}
}

func (w *world) uninstalled() {
	w.t.Helper()
	if out := w.run(documented(w.t, uninstall)); !strings.Contains(out, keptByHelm) {
		w.t.Errorf("Helm does not say that it keeps the CRD:\n%s", out)
	}
	w.gone()
}

// overProduct installs where StorageOS has brought its own CRD, and does so again after
// StorageOS has put it back.
func overProduct(w *world) {
	w.apply(productCRD(w.t))
	w.serves()
	w.record(false)
	w.refused(install, nothingKeeps)
	w.refused(takeOver, nothingKeeps)
	w.refused("helm status storageos-volume-sync --namespace storageos", "release: not found")
	w.run(documented(w.t, keepCRD))
	w.refused(install, noOwner)
	w.same()
	if w.helm == "helm4" { // a release that has failed is left, and has the CRD without having come to it
		w.refused(install+" --take-ownership", documented(w.t, "conflict with"))
		w.run(upgrade + " --set crds.enabled=false --force-conflicts")
		w.same()
	}
	w.run(documented(w.t, takeOver) + " --set crds.enabled=true")
	w.same()
	w.keeps()

	w.apply(productCRD(w.t))
	if w.crdIsCurrent() {
		w.t.Fatal("the CRD is not that of StorageOS")
	}
	if w.helm == "helm4" {
		w.refused(upgrade, "conflict with \"kubectl-client-side-apply\"")
	}
	w.run(takeOver)
	w.keeps()

	// Put back by who leaves nothing of what was there, it is not what Helm may delete, either.
	w.replace(productCRD(w.t))
	w.refused(upgrade+" --set crds.enabled=false", nothingKeeps)
	w.run(keepCRD)
	w.run(upgrade + " --set crds.enabled=false")
	if back := "helm rollback storageos-volume-sync --namespace storageos --force-conflicts"; w.helm == "helm3" {
		w.refused(back, documented(w.t, "must be specified for an update"))
		w.run(takeOver + " --reset-then-reuse-values " + documented(w.t, "--set crds.enabled=true"))
	} else {
		w.run(back)
		w.run(upgrade + " --set crds.enabled=false")
		w.run(takeOver + " --set crds.enabled=true")
	}
	w.keeps()
	w.uninstalled()
}

// overKustomize takes over what kubectl has applied, with other values, and goes back.
func overKustomize(w *world) {
	w.run(documented(w.t, applyCRD))
	w.run(documented(w.t, applyRest))
	w.serves()
	w.keeps()
	w.refused(install, noOwner)
	w.same()
	w.run(takeOver + " --set replicas=3")
	w.deployment(3, "spec", "replicas")
	w.same()
	w.keeps()
	w.laterUpgrades()
	w.uninstalled()
	w.takesAway()

	w.run(applyCRD)
	w.run("kubectl apply -k " + w.overlay())
	w.deployment(2, "spec", "replicas")
	w.deployment(ownImage+":"+w.version(), "spec", "template", "spec", "containers", 0, "image")
	w.deployment("-delete-orphans=false", "spec", "template", "spec", "containers", 0, "args", 4)
	w.same()
	w.keeps()
	if notes := w.run(takeOver + " --dry-run=server"); !strings.Contains(notes, "It deletes the record of a volume that is proven gone, which until now it did not.") {
		w.t.Errorf("the notes do not say that records are deleted again:\n%s", notes)
	}
	w.run(documented(w.t, "kubectl delete -k deploy"))
	w.same()
	w.run("kubectl delete --ignore-not-found -k " + w.overlay()) // what only the overlay has
}

// takesAway takes something away from what kubectl has applied: there it stays, and that is said.
func (w *world) takesAway() {
	w.t.Helper()
	security := []any{"spec", "template", "spec", "securityContext", "runAsUser"}
	const values = ` --set openshift=true --set priorityClassName="" --set metricsPort=9090`
	const says = "has applied the Deployment, too"
	for _, apply := range []string{applyRest, strings.Replace(applyRest, "apply", "apply --server-side", 1)} {
		w.run(apply)
		if notes := w.run(takeOver + " --set openshift=true"); !strings.Contains(notes, says) {
			w.t.Errorf("after %s the notes do not say that what is taken away stays:\n%s", apply, notes)
		}
		w.deployment(65532, security...)
		if apply == applyRest {
			w.run(documented(w.t, uninstall))
		}
	}
	if w.helm == "helm4" {
		w.refused(upgrade+values+" --force-conflicts", `Duplicate value: "metrics"`)
	}
	w.run(documented(w.t, "kubectl delete -k deploy"))
	if notes := w.run(takeOver + values + " --set networkPolicy=false"); strings.Contains(notes, says) {
		w.t.Errorf("the notes say that something stays:\n%s", notes)
	}
	if left := w.run("kubectl -n storageos get networkpolicy --output=name"); left != "" {
		w.t.Errorf("there is %s, and networkPolicy is false", left)
	}
	w.deployment(nil, security...)
	w.deployment(nil, "spec", "template", "spec", "priorityClassName")
	w.deployment(9090, "spec", "template", "spec", "containers", 0, "ports", 0, "containerPort")
	w.uninstalled()
}

// laterUpgrades changes what kubectl has applied before, and changes again: Helm 4 took only the
// fields that differed, and others have an owner besides.
func (w *world) laterUpgrades() {
	w.t.Helper()
	container := []any{"spec", "template", "spec", "containers", 0}
	rehearse := documented(w.t, upgrade+" "+rehearsed)
	if w.helm == "helm4" {
		w.refused(rehearse, "conflict with \"kubectl-client-side-apply\"")
		w.deployment(nil, append(container, "args", 3)...)
	}
	w.run(rehearse + " " + documented(w.t, "--force-conflicts"))
	w.deployment("-delete-orphans=false", append(container, "args", 3)...)
	w.deployment(3, "spec", "replicas")
	w.same()

	w.run("kubectl --namespace storageos set resources deployment storageos-volume-sync --limits=memory=300Mi")
	if w.helm == "helm4" {
		w.refused(upgrade+" --set resources.limits.memory=512Mi", "conflict with \"kubectl-set\"")
	}
	w.run(upgrade + " --reset-then-reuse-values --set resources.limits.memory=512Mi --force-conflicts")
	w.deployment("512Mi", append(container, "resources", "limits", "memory")...)
	w.deployment("-delete-orphans=false", append(container, "args", 3)...)

	// Who applies deploy over it sets back what was set.
	w.run(applyRest)
	w.deployment(2, "spec", "replicas")
	w.run("kubectl delete clusterrole storageos-volume-sync") // which comes again, too
	w.run(documented(w.t, upgrade+" --reset-then-reuse-values") + " --force-conflicts")
	w.deployment(3, "spec", "replicas")
	w.deployment("-delete-orphans=false", append(container, "args", 3)...)
	w.same()

	// Back to the first release that succeeded: the one before may have failed.
	w.run(documented(w.t, "helm history storageos-volume-sync --namespace storageos"))
	w.run(strings.Replace(documented(w.t, "helm rollback storageos-volume-sync NUMBER --namespace storageos"), "NUMBER", "1", 1) + " --force-conflicts")
	w.deployment(nil, append(container, "args", 3)...)
	w.deployment(3, "spec", "replicas")
	w.keeps()
}

// overOlderChart upgrades a chart whose CRD was in crds, where Helm makes it
// and looks at it no more.
func overOlderChart(w *world) {
	older := filepath.Join(w.path, "chart")
	must(w.t, os.CopyFS(older, os.DirFS(filepath.Join(root, "deploy", "chart"))))
	must(w.t, os.Remove(filepath.Join(older, "templates", "crds.yaml")))
	const checks = "deploy/chart/templates/_checks.tpl"
	const check = `{{- include "storageos-volume-sync.checkCRD" . }}` + "\n"
	unchecked := strings.Replace(text(w.t, checks), check, "", 1)
	if unchecked == text(w.t, checks) {
		w.t.Fatal(checks + " does not check the CRD")
	}
	must(w.t, os.WriteFile(filepath.Join(older, "templates", "_checks.tpl"), []byte(unchecked), 0o600))
	must(w.t, os.Mkdir(filepath.Join(older, "crds"), 0o700))
	const file = "api.storageos.com_volumes.yaml"
	crd := text(w.t, "deploy/crd/"+file)
	const keep = "    helm.sh/resource-policy: keep\n"
	if !strings.Contains(crd, keep) {
		w.t.Fatal("the CRD does not say that Helm is to keep it")
	}
	must(w.t, os.Remove(filepath.Join(older, "files", file)))
	must(w.t, os.WriteFile(filepath.Join(older, "crds", file), []byte(strings.Replace(crd, keep, "", 1)), 0o600))
	w.run(strings.Replace(install, "deploy/chart", older, 1))
	w.serves()
	w.keeps()
	orBack := map[string]string{"helm4": " --rollback-on-failure --timeout 5s", "helm3": " --atomic --timeout 5s"}[w.helm]
	for _, command := range []string{upgrade, takeOver, upgrade + " --take-ownership" + orBack} {
		w.refused(command, nothingKeeps)
	}
	w.same()
	w.run(keepCRD)
	w.refused(upgrade, noOwner)
	w.same()
	if w.helm == "helm4" { // what it was before comes back, where there was no CRD
		w.run(`kubectl patch crd volumes.api.storageos.com --type=merge -p '{"spec":{"names":{"categories":["other"]}}}'`)
		w.refused(upgrade+" --take-ownership"+orBack, "conflict with")
		w.same()
	}
	w.run(takeOver)
	w.same()
	w.keeps()

	// To where the CRD is no object of the release, and to where nobody wants it to be one.
	w.run("helm rollback storageos-volume-sync 1 --namespace storageos")
	w.same()
	w.run(upgrade)
	w.run(upgrade + " --set " + documented(w.t, "crds.enabled=false"))
	w.same()
	w.run(upgrade + " --set crds.enabled=true")
	w.keeps()
	w.uninstalled()
}
