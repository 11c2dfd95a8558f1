# SPDX-License-Identifier: MIT

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
PACKAGE := github.com/storageos/volume-sync-controller/pkg/version
IMAGE   ?= storageos/volume-sync-controller
BIN     ?= bin
LDFLAGS := -s -w -X $(PACKAGE).version=$(VERSION) -X $(PACKAGE).commit=$(COMMIT)

.DEFAULT_GOAL := help

# The same flags everywhere: what was compiled for one program, test or linter need not be
# compiled again for the next. Without DWARF, which nothing here reads, compiling takes
# about a tenth less. Compiling one package is over before its garbage is worth collecting,
# which took a third of the time; at most some packages get near the limit. Only the race
# detector needs cgo. Vetting is lint's, once.
export GOFLAGS     := $(strip $(GOFLAGS) -trimpath -gcflags=all=-dwarf=false -vet=off '-toolexec=env GOGC=off GOMEMLIMIT=1GiB')
export CGO_ENABLED := 0

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/volume-sync-controller
	BIN='$(abspath $(BIN))' hack/build.sh . '-ldflags=$(LDFLAGS)' ./cmd/volume-sync-controller

.PHONY: plugin
plugin: ## build bin/kubectl-storageos_volumes, the kubectl plugin
	BIN='$(abspath $(BIN))' hack/build.sh cmd/kubectl-storageos_volumes '-ldflags=$(LDFLAGS)' .
	cp cmd/kubectl-storageos_volumes/kubectl_complete-storageos_volumes $(BIN)/

.PHONY: image
image: ## write the image for amd64 and arm64 as bin/image-ARCH.tar
	VERSION='$(VERSION)' COMMIT='$(COMMIT)' hack/image.sh '$(IMAGE)' amd64 arm64

.PHONY: simulator
simulator: ## build bin/storageos-simulator
	hack/build.sh . ./hack/simulator/storageos-simulator

.PHONY: devcluster
devcluster: bin/devcluster csi ## build the Kubernetes control plane for development and tests

ifdef KUBEBUILDER_ASSETS
.PHONY: bin/devcluster
bin/devcluster: # from what is there: nothing of Kubernetes is built
	go build -C hack/devcluster -o ../../bin/devcluster ./external
else
# One that was built for KUBEBUILDER_ASSETS has nothing of Kubernetes in it.
ifneq ($(shell go version -m bin/devcluster 2>/dev/null | grep 'path.*/external$$'),)
.PHONY: bin/devcluster
endif
bin/devcluster: $(shell find hack/devcluster -name '*.go' -o -name '*.tmpl' -o -name 'go.*')
	@echo 'Building a Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager, kubectl) and a node (kubelet, kube-scheduler, kube-proxy): minutes the first time, seconds after that.'
	hack/build.sh hack/devcluster '-ldflags=-w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES)' .
endif
# Its API server says which version it is to those who ask, such as Helm.
KUBERNETES = $(shell go list -C hack/devcluster -m -f '{{.Version}}' k8s.io/kubernetes)

.PHONY: node
node: devcluster ## build the dev cluster with the images for its node (`bin/devcluster up -node`)
	hack/node-images.sh

.PHONY: csi
csi: bin/csi-provisioner ## build the CSI driver of the simulated StorageOS, and what makes volumes for claims
	hack/build.sh hack/simulator/storageos-csi .

# Kubernetes' own programs: csi-provisioner makes and deletes the volumes of claims,
# csi-resizer lets them grow.
bin/csi-provisioner: hack/csi-sidecars/go.mod
	hack/build.sh hack/csi-sidecars '-ldflags=-s -w' tool

# With KUBECONFIG, API_ENDPOINT and API_SECRET_PATH: the controller alone, against
# a real cluster and a real StorageOS.
.PHONY: run
ifdef API_ENDPOINT
run: build
	@test -n '$(API_SECRET_PATH)' || { echo 'make run: API_SECRET_PATH=... is missing: the folder with the files username and password' >&2; exit 2; }
	bin/volume-sync-controller -kubeconfig '$(KUBECONFIG)' -api-endpoint '$(API_ENDPOINT)' -api-secret-path '$(API_SECRET_PATH)'
else
run: build devcluster plugin ## show the controller at work (README)
	@test '$(origin KUBECONFIG)' != 'command line' || { echo 'make run: API_ENDPOINT=... is missing: where that StorageOS is' >&2; exit 2; }
	hack/build.sh . ./hack/demo
	@exec bin/demo
endif

.PHONY: demo
demo: node plugin ## show what is shipped at work: as Pods on a node, with a simulated StorageOS; needs root
	@exec hack/demo-node.sh

TESTS := test-unit test-page test-deploy fuzz devcluster test-integration+test-node

.PHONY: test
test: ## run all tests, those first that fail soonest
	@hack/stages.sh $(TESTS)

.PHONY: ci
ci: ## all that has to pass before a change lands
	@hack/stages.sh verify lint vulncheck $(TESTS) test-tools+test-release

.PHONY: test-quick
test-quick: export RAPID_SEED ?= 1
test-quick: ## test what is quick: units, 2,000 random histories, the page, lint of what has changed
	go test ./...
	hack/model.sh 2000 $$RAPID_SEED
	hack/chromium.sh
	go test -count=1 -run '^TestStatusPage' ./cmd/volume-sync-controller/app
	hack/lint.sh -c

.PHONY: fuzz
fuzz: ## run each fuzz target with 10,000 inputs; hack/fuzz.sh takes another number, or a time
	hack/fuzz.sh

# The same random histories at every run. Others: make test-model. What counts bytes and
# allocations runs without the race detector, which has its own, and so do searches, in which
# nothing runs beside another.
.PHONY: test-unit
test-unit: export RAPID_SEED ?= 1
test-unit: ## run the tests that need no cluster
	go test -run '^TestCount' ./pkg/...
	go test -run '^TestSearch' ./pkg/controller/internal/policy -disturbances 2
	CGO_ENABLED=1 go test -race ./...
	hack/model.sh 5000 $$RAPID_SEED
	CGO_ENABLED=1 go test -C cmd/kubectl-storageos_volumes -race ./...
	CGO_ENABLED=1 go test -C hack/devcluster -race -vet= ./launcher/... ./dns/... # which lint leaves out
	go test -C hack/simulator/conformance ./...
	go test -C hack/simulator/storageos-csi ./...

.PHONY: test-model
test-model: ## look for a history, among 100,000 new ones, that breaks a rule
	hack/model.sh 100000 $${RAPID_SEED:-$$(date +%s)}

.PHONY: test-search
test-search: export GOMEMLIMIT := 15GiB
test-search: ## search the small worlds of the decision to their ends: three disturbances, two where two volumes may have any; ten minutes, 15 GB
	go test -count=1 -timeout 0 -v -run '^TestSearch$$/^(one_volume|two_processes|two_volumes,_one_name)$$' ./pkg/controller/internal/policy -disturbances 3
	go test -count=1 -timeout 0 -v -run '^TestSearch$$/^two_volumes$$' ./pkg/controller/internal/policy -disturbances 2

.PHONY: test-page
test-page: ## test the status page in headless Chromium, which root installs by apt-get if it is missing
	hack/chromium.sh
	CGO_ENABLED=1 go test -race -count=1 -run '^TestStatusPage' ./cmd/volume-sync-controller/app

.PHONY: test-deploy
test-deploy: bin/promtool ## test the manifests, the chart, the alerts, the dashboard, the image, and what the host of the repository reads
	go test -C hack/deploy -count=1 ./...
	go test -C hack/repository -count=1 ./...
	go test -C hack/image -count=1 -short ./...

bin/promtool bin/prometheus:
	hack/from-debian.sh $(@F) prometheus

# Integration tests wait more than they work. What they do is to a third collecting garbage, if
# control planes and controllers may not take memory instead.
AT_ONCE := $(shell expr 2 '*' $$(nproc))
ROOMY   := GOGC=400 GOMEMLIMIT=1GiB

.PHONY: test-integration
test-integration: devcluster ## run the real binary against a real control plane and a simulated StorageOS
	$(ROOMY) DEVCLUSTER=$(CURDIR)/bin/devcluster CGO_ENABLED=1 go test -race -count=1 -timeout 40m -parallel $(AT_ONCE) ./hack/integration/...
	DEVCLUSTER=$(CURDIR)/bin/devcluster go test -C hack/embed-example -count=1 ./...

.PHONY: test-node
test-node: bin/devcluster ## run what is shipped as Pods on a node, where root and Debian's packages can be had
	$(ROOMY) hack/test-node.sh

.PHONY: test-tools
test-tools: bin/devcluster bin/helm4/helm bin/helm3/helm bin/prometheus bin/alertmanager ## run Helm 4 and 3 on the chart, Prometheus and Alertmanager on the alerts; about 8 minutes
	DEVCLUSTER=$(CURDIR)/bin/devcluster go test -C hack/realtools -count=1 -timeout 30m -parallel 8 -v ./...

bin/helm%/helm: hack/tools/helm%/go.mod
	BIN=$(CURDIR)/$(@D) hack/build.sh $(<D) '-ldflags=-s -w' tool

bin/alertmanager:
	hack/from-debian.sh prometheus-alertmanager prometheus-alertmanager $(@F) /usr/share/prometheus/alertmanager

.PHONY: test-versions
test-versions: devcluster ## run the tests that Kubernetes matters most to on older versions of it (hack/kubernetes)
	AT_ONCE=$(AT_ONCE) hack/test-versions.sh $(VERSIONS)

.PHONY: test-faults
test-faults: bin/devcluster ## run only the fault tests of test-integration: what StorageOS, the network, Kubernetes or a hand may do
	DEVCLUSTER=$(CURDIR)/bin/devcluster CGO_ENABLED=1 go test -race -count=1 -timeout 20m -parallel $(AT_ONCE) -v -run '^TestFault' ./hack/integration/...

.PHONY: test-perturb
test-perturb: devcluster ## kill, depose and blind the program at every write of known runs; an hour or two; bin/perturb.md
	DEVCLUSTER=$(CURDIR)/bin/devcluster CGO_ENABLED=1 go test -race -count=1 -timeout 0 -parallel $(shell expr 3 '*' $$(nproc)) -v -run '^TestPerturb' \
		./hack/integration -perturb-one-in 1 -perturb-report $(CURDIR)/bin/perturb.md

MINUTES ?= 30
.PHONY: soak
soak: SEED ?= $(shell date +%s)
soak: devcluster ## let faults rage for MINUTES (30), drawn with SEED (the time); the history is left in bin/soak.history
	DEVCLUSTER=$(CURDIR)/bin/devcluster CGO_ENABLED=1 go test -race -count=1 -timeout 0 -v -run '^TestSoak$$' \
		./hack/integration -soak $(MINUTES)m -soak-seed $(SEED) -soak-history $(CURDIR)/bin/soak.history

.PHONY: test-mutants
test-mutants: ## ask the tests whether they notice when a line of what decides is changed; half an hour; bin/mutants.md
	go run ./hack/mutants -o bin/mutants.md

.PHONY: reliability
reliability: ## run the fault suite and write docs/reliability.md
	hack/reliability.sh

BENCH_VOLUMES ?= 10000
.PHONY: bench
bench: build bin/devcluster ## measure everything at up to BENCH_VOLUMES volumes (10000); about half an hour
	hack/build.sh . ./hack/bench
	@bin/bench -volumes $(BENCH_VOLUMES) $(BENCH_ARGS)

.PHONY: bench-compare
bench-compare: ## compare the hot paths with those of the commit BASE
	hack/bench-compare.sh $(BASE)

.PHONY: lint
lint: ## lint all modules but hack/devcluster, which hack/lint.sh -a includes
	hack/lint.sh

.PHONY: generate
generate: ## generate the CRD, deep copies and clients from pkg/apis
	hack/generate.sh

.PHONY: verify
verify: ## fail if what is generated is stale, a module is needed in two versions, or a cure cannot be taken out
	hack/verify-versions.sh
	hack/verify-generated.sh
	for patch in hack/cures/*.patch; do git apply --check "$$patch" || exit; done

.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities that the product or the plugin call; the database is a pinned module
	hack/vulncheck.sh

.PHONY: release
release: ## make what a release consists of in bin/release (docs/release.md)
	VERSION='$(VERSION)' COMMIT='$(COMMIT)' hack/release.sh '$(IMAGE)'

RELEASE ?= bin/release
.PHONY: release-sign
release-sign: ## sign what is in bin/release with the SSH key KEY
	hack/release-sign.sh '$(KEY)' '$(RELEASE)'

.PHONY: test-release
test-release: bin/devcluster ## make a release twice, compare the two, and try each file of it
	hack/openssh.sh
	nice go test -C hack/image -count=1 ./...
	DEVCLUSTER=$(CURDIR)/bin/devcluster nice go test -C hack/release -count=1 -timeout 90m

.PHONY: release-check
release-check: verify lint vulncheck test test-tools test-release release ## all that a release needs: generated files, lint, tests, and the release itself

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .devcluster
