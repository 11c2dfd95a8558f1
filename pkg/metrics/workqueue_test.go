package metrics

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
)

// A queue that is given the set feeds it.
func TestQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New()
		r := registered(t, m)
		q := workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Second, time.Minute),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: "volumes", MetricsProvider: m.Queues})
		for _, key := range []string{"a", "b", "c"} {
			q.Add(key)
		}
		time.Sleep(time.Second)
		_, _ = q.Get()
		key, _ := q.Get()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		q.Done(key)
		q.AddRateLimited(key)

		want := map[string]float64{
			"workqueue_depth":                             1,
			"workqueue_adds_total":                        3,
			"workqueue_queue_duration_seconds":            2, // observations
			"workqueue_work_duration_seconds":             1,
			"workqueue_unfinished_work_seconds":           20, // two for 10 s each
			"workqueue_longest_running_processor_seconds": 10,
			"workqueue_retries_total":                     1,
		}
		all := families(t, r)
		for name, value := range want {
			if diff := cmp.Diff(map[string]float64{"volumes": value}, series(all[name])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		for name, seconds := range map[string]float64{
			"workqueue_queue_duration_seconds": 2,
			"workqueue_work_duration_seconds":  10,
		} {
			if got := sum(all[name]); got != seconds {
				t.Errorf("%s observed %v s, want %v", name, got, seconds)
			}
		}
		q.ShutDown()
	})
}
