package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// maxQPS is the highest limit of requests: more is as good as none.
const maxQPS = 1_000_000

// longest is how long a time may be, ten years: what is added up of several of them does
// not overflow, and a Lease, which has its seconds in 32 bits, can say it.
const longest = 87_600 * time.Hour

// defaultStatusAddr is reached from this host only, or by kubectl port-forward.
const defaultStatusAddr = "127.0.0.1:8081"

// options are the flags.
type options struct {
	apiEndpoint        string
	apiSecretPath      string
	apiCAFile          string
	apiRefreshInterval time.Duration
	apiTimeout         time.Duration

	controller controller.Settings

	kubeAPIQPS   float64
	kubeAPIBurst int
	kubeconfig   string
	namespace    string

	election      bool
	leaseDuration time.Duration
	renewDeadline time.Duration
	retryPeriod   time.Duration

	metricsAddr   string
	statusAddr    string
	profiling     bool
	loggingFormat string
	version       bool

	endpoint *url.URL // apiEndpoint, parsed
	flags    *flag.FlagSet
}

// flagError is an error that names the flag whose value makes no sense.
type flagError struct {
	flag string
	err  error
}

func (e *flagError) Error() string { return fmt.Sprintf("flag -%s: %v", e.flag, e.err) }
func (e *flagError) Unwrap() error { return e.err }

// parse reads and checks the command line. With -h it prints the flags to
// stdout and returns flag.ErrHelp.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{controller: controller.DefaultSettings()}
	o.flags = o.flagSet()
	o.flags.SetOutput(io.Discard)
	o.flags.Usage = func() {}
	if err := o.flags.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // never wrapped
			o.usage(stdout)
		}
		return nil, withoutValue(err)
	}
	if o.flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: everything is set by flags, see -help", cut(o.flags.Arg(0)))
	}
	if o.version {
		return o, nil
	}
	return o, o.validate()
}

// withoutValue is the error of a command line that cannot be read, without the value of
// what is no flag: it may be an endpoint with a password, behind a mistyped name.
func withoutValue(err error) error {
	for _, begin := range []string{"bad flag syntax: ", "flag provided but not defined: "} {
		if what, ok := strings.CutPrefix(err.Error(), begin); ok {
			return errors.New(begin + cut(what))
		}
	}
	return err
}

// cut leaves the name of what may be name=value, and nothing of what is more than a
// name: that may hold a password anywhere.
func cut(s string) string {
	name, _, more := strings.Cut(s, "=")
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' }) {
		name, more = "", true
	}
	if more {
		name += "…"
	}
	return name
}

func (o *options) usage(w io.Writer) {
	fmt.Fprint(w, "volume-sync-controller keeps, in Kubernetes, a true record of every StorageOS volume.\n\nFlags:\n")
	o.flags.SetOutput(w)
	o.flags.PrintDefaults()
}

func (o *options) flagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("volume-sync-controller", flag.ContinueOnError)
	c := &o.controller

	fs.StringVar(&o.apiEndpoint, "api-endpoint", "storageos", "StorageOS API: `host`, host:port or URL; http and port 5705 unless said")
	fs.StringVar(&o.apiSecretPath, "api-secret-path", "/etc/storageos/secrets/api", "`folder` with the files username and password; read again when they change")
	fs.StringVar(&o.apiCAFile, "api-ca-file", "", "PEM `file` of the CAs that sign an https endpoint; read again when it changes")
	fs.DurationVar(&c.PollInterval, "api-poll-interval", c.PollInterval, "how often StorageOS is listed")
	fs.DurationVar(&o.apiRefreshInterval, "api-refresh-interval", time.Minute, "how often the token is renewed; sooner if it expires sooner")
	fs.DurationVar(&c.RetryInterval, "api-retry-interval", c.RetryInterval, "pause after a failure of the StorageOS API")
	fs.DurationVar(&o.apiTimeout, "api-timeout", 30*time.Second, "how long a request to StorageOS may stay silent; ten times this bounds it, the list of one namespace too, however it arrives")
	fs.BoolVar(&c.EarlyReads, "early-reads", c.EarlyReads, "read a volume at once when Kubernetes tells that it may have changed; false: the next listing shows it")
	fs.StringVar(&c.CSIDriver, "csi-driver", c.CSIDriver, "CSI driver whose PersistentVolumes are StorageOS volumes")

	fs.IntVar(&c.Workers, "workers", c.Workers, "how many volumes are worked on at a time")
	fs.DurationVar(&c.ResyncInterval, "resync-interval", c.ResyncInterval, "how often every volume is compared with its record again; 0 switches it off")
	fs.BoolVar(&c.DeleteOrphans, "delete-orphans", c.DeleteOrphans, "delete the records of volumes that are gone; false: decide, count and report, delete nothing")
	fs.DurationVar(&c.OrphanGracePeriod, "orphan-grace-period", c.OrphanGracePeriod, "how long a volume must stay absent before its record is deleted; 0: the first complete listing and the proof suffice")
	fs.IntVar(&c.MaxOrphanPercent, "max-orphan-percent", c.MaxOrphanPercent, "deletions are held when more than this percentage of the records, and more than -max-orphan-count, lose their volumes unexplained")
	fs.IntVar(&c.MaxOrphanCount, "max-orphan-count", c.MaxOrphanCount, "deletions are held when more than this many records, and more than -max-orphan-percent, lose their volumes unexplained")
	fs.DurationVar(&c.MassOrphanHold, "mass-orphan-hold", c.MassOrphanHold, "for how long they are held")
	fs.BoolVar(&c.ClaimEvents, "claim-events", c.ClaimEvents, "say events about a volume on its claim too, in the claim's namespace; takes the right to create events there")
	fs.StringVar(&c.AcceptClusterID, "accept-cluster-id", "", "`ID` of the StorageOS cluster that may also judge records that name another")
	fs.DurationVar(&c.ProgressInterval, "progress-interval", c.ProgressInterval, "how often at most the sync progress of replicas alone causes a write")

	fs.Float64Var(&o.kubeAPIQPS, "kube-api-qps", 0, "requests per second to the Kubernetes API; 0: no limit here, its own priority and fairness decides")
	fs.IntVar(&o.kubeAPIBurst, "kube-api-burst", 0, "burst of requests to the Kubernetes API; 0: as -kube-api-qps")
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file`; in the cluster it is not needed")
	fs.StringVar(&o.namespace, "namespace", "", "`namespace` of the Lease; the Pod's own unless said")

	fs.BoolVar(&o.election, "enable-leader-election", false, "take part in a leader election, for more than one replica")
	fs.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second, "how long others wait before they take a lease that is not renewed")
	fs.DurationVar(&o.renewDeadline, "renew-deadline", 10*time.Second, "how long the leader tries to renew before it gives up")
	fs.DurationVar(&o.retryPeriod, "retry-period", 2*time.Second, "pause between two tries to take or renew the lease")

	fs.StringVar(&o.metricsAddr, "metrics-addr", ":8080", "`address` of /metrics, /livez, /readyz and /healthz")
	fs.StringVar(&o.statusAddr, "status-addr", defaultStatusAddr, "`address` of the status page, for people; empty: none")
	fs.BoolVar(&o.profiling, "profiling", false, "serve /debug/pprof beside the metrics")
	fs.StringVar(&o.loggingFormat, "logging-format", formatText, "format of the log: text or json")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	klog.InitFlags(fs)
	return fs
}

// validate refuses values that make no sense, the first one found.
func (o *options) validate() error {
	c := &o.controller
	for _, check := range []error{
		positive("api-poll-interval", c.PollInterval),
		positive("api-refresh-interval", o.apiRefreshInterval),
		positive("api-retry-interval", c.RetryInterval),
		positive("api-timeout", o.apiTimeout),
		notEmpty("api-secret-path", o.apiSecretPath),
		driver("csi-driver", c.CSIDriver),
		inRange("workers", c.Workers, 1, 100_000),
		notNegative("resync-interval", c.ResyncInterval),
		notNegative("orphan-grace-period", c.OrphanGracePeriod),
		inRange("max-orphan-percent", c.MaxOrphanPercent, 0, 100),
		inRange("max-orphan-count", c.MaxOrphanCount, 0, 1<<31-1),
		notNegative("mass-orphan-hold", c.MassOrphanHold),
		notNegative("progress-interval", c.ProgressInterval),
		o.validateKubernetes(),
		o.validateElection(),
		address("metrics-addr", o.metricsAddr),
		o.validateStatusAddr(),
		oneOf("logging-format", o.loggingFormat, formatText, formatJSON),
	} {
		if check != nil {
			return check
		}
	}
	var err error
	if o.endpoint, err = storageos.ParseEndpoint(o.apiEndpoint); err != nil {
		return &flagError{"api-endpoint", err}
	}
	return nil
}

func (o *options) validateStatusAddr() error {
	if o.statusAddr == "" {
		return nil
	}
	return address("status-addr", o.statusAddr)
}

func (o *options) validateKubernetes() error {
	if !(o.kubeAPIQPS >= 0 && o.kubeAPIQPS <= maxQPS) { // so that NaN is refused too
		return &flagError{"kube-api-qps", fmt.Errorf("%v makes no sense: it must be from 0 to %d", o.kubeAPIQPS, maxQPS)}
	}
	if err := inRange("kube-api-burst", o.kubeAPIBurst, 0, 1<<31-1); err != nil {
		return err
	}
	if o.namespace != "" {
		if errs := validation.ValidateNamespaceName(o.namespace, false); len(errs) > 0 {
			return &flagError{"namespace", fmt.Errorf("%q is not the name of a namespace: %s", o.namespace, errs[0])}
		}
	}
	return nil
}

// validateElection holds the times against each other as client-go does, and
// leaves a second of the lease for the writes that are on their way.
func (o *options) validateElection() error {
	for _, check := range []error{
		positive("lease-duration", o.leaseDuration),
		positive("renew-deadline", o.renewDeadline),
		positive("retry-period", o.retryPeriod),
	} {
		if check != nil {
			return check
		}
	}
	if o.lease() <= fenceMargin {
		return &flagError{"lease-duration", fmt.Errorf("%v is too short: its whole seconds must be more than %v", o.leaseDuration, fenceMargin)}
	}
	if o.leaseDuration <= o.renewDeadline {
		return &flagError{"lease-duration", fmt.Errorf("%v must be more than -renew-deadline, which is %v", o.leaseDuration, o.renewDeadline)}
	}
	if longest := time.Duration(leaderelection.JitterFactor * float64(o.retryPeriod)); o.renewDeadline <= longest {
		return &flagError{"renew-deadline", fmt.Errorf("%v must be more than %v times -retry-period, which is %v", o.renewDeadline, leaderelection.JitterFactor, o.retryPeriod)}
	}
	return nil
}

// lease is how long others wait before they take the lease: a Lease has whole seconds.
func (o *options) lease() time.Duration { return o.leaseDuration.Truncate(time.Second) }

func positive(name string, d time.Duration) error {
	if d <= 0 {
		return &flagError{name, fmt.Errorf("%v makes no sense: it must be more than 0", d)}
	}
	return notTooLong(name, d)
}

func notNegative(name string, d time.Duration) error {
	if d < 0 {
		return &flagError{name, fmt.Errorf("%v makes no sense: it must be 0 or more", d)}
	}
	return notTooLong(name, d)
}

func notTooLong(name string, d time.Duration) error {
	if d > longest {
		return &flagError{name, fmt.Errorf("%v makes no sense: it must be up to %v", d, longest)}
	}
	return nil
}

func inRange(name string, n, low, high int) error {
	if n < low || n > high {
		return &flagError{name, fmt.Errorf("%d makes no sense: it must be from %d to %d", n, low, high)}
	}
	return nil
}

func notEmpty(name, s string) error {
	if s == "" {
		return &flagError{name, fmt.Errorf("it must not be empty")}
	}
	return nil
}

// driver wants the name of a CSI driver as Kubernetes does.
func driver(name, s string) error {
	if len(s) > 63 || len(utilvalidation.IsDNS1123Subdomain(strings.ToLower(s))) > 0 {
		return &flagError{name, fmt.Errorf("%q is not the name of a CSI driver: it has letters, digits, hyphens and dots, up to 63", s)}
	}
	return nil
}

func oneOf(name, s string, allowed ...string) error {
	for _, a := range allowed {
		if s == a {
			return nil
		}
	}
	return &flagError{name, fmt.Errorf("%q is unknown: it must be one of %q", s, allowed)}
}

func address(name, s string) error {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host != "" && !isHost(host) {
		return &flagError{name, fmt.Errorf("%q is not an address: it must be host:port or :port", s)}
	}
	return nil
}

// isHost tells whether a text can be an IP address or a DNS name, which may end with a dot.
func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || len(utilvalidation.IsDNS1123Subdomain(strings.ToLower(strings.TrimSuffix(s, ".")))) == 0
}
