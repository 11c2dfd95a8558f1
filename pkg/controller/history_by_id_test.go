package controller

import (
	"fmt"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// byID lets StorageOS answer otherwise for v0 by its ID than by its lists.
func (h *history) byID(answer string, err error) {
	listed := h.api.Lists["one"][0]
	h.api.Fail = func(call string, _ int) error { // with the API's lock held
		h.api.Lists["one"][0] = listed
		if call != "volume v0" {
			return nil
		}
		if answer != "" {
			h.api.Lists["one"][0] = answer
		}
		return err
	}
}

// What a hand has written into a record goes though StorageOS does not say of the volume by its ID
// what its lists do: these count, and bring the volume whole.
func TestHistoryByIDOtherwise(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		err    error
	}{
		"it is down":         {"", errDown},
		"it may not be read": {"", storageostest.Forbidden},
		"it is not found":    {"", storageostest.NotFound},
		"it is older":        {"v0 1 online n2", nil},
		"it is too large":    {"v0 18446744073709551615", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Lists["one"][0] = "v0 1 offline"
				h.listings(3)
				h.byID(tc.answer, tc.err)
				h.edit("v0", func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" })
				h.listings(8)
				if is := h.records.records["v0"].Status.Master; is.NodeID != "n1" || is.Health != "offline" {
					t.Errorf("after eight listings it says %+v", is)
				}
				asked, writes := h.asked("v0"), h.attempts()
				h.listings(20)
				if n, w := h.asked("v0")-asked, h.attempts()-writes; n > 0 || w > 0 {
					t.Errorf("after that it was asked for %d times, and written %d times", n, w)
				}
			})
		})
	}
}

// A volume that was read early by something older than is listed is as it is listed two polls later.
func TestHistoryEarlyIsOlder(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.Lists["one"][0] = "v0 1 offline"
		h.listings(3)
		h.byID("v0 1 online n2", nil)
		h.leader.attachmentChanged("v0", true)
		h.readEarly()
		h.listings(3)
		if is := h.records.records["v0"].Status.Master; is.Health != "offline" {
			t.Errorf("it says %+v", is)
		}
		asked, writes := h.asked("v0"), h.attempts()
		h.listings(20)
		if n, w := h.asked("v0")-asked, h.attempts()-writes; n > 0 || w > 0 {
			t.Errorf("after that it was asked for %d times, and written %d times", n, w)
		}
	})
}

// That a volume is to be decoded again is not forgotten when it is said while its list is read, and
// has been passed.
func TestHistoryDecodedAgainWhileListed(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		strip := func() {
			h.edit("v0", func(r *v1.Volume) {
				s := &r.Status
				s.Capacity, s.Conditions, s.Health, s.Ready, s.PersistentVolume = nil, nil, "", "", nil
			})
		}
		settle := func() {
			for range 2 {
				h.tell(h.leader, -1)
				h.work(h.leader, 10)
			}
		}
		strip()
		settle()
		if !stateIn(h, "v0").Complete() {
			t.Fatal("it is not completed the first time")
		}
		h.sleep(2 * time.Second)
		strip()
		keep := h.leader.poller.Keep
		h.leader.poller.Keep = func(id string, p source.Payload) {
			if keep(id, p); id == "v1" {
				settle()
			}
		}
		for n := range 2 {
			h.api.Lists["one"][1] = fmt.Sprint("v1 ", 2+n) // v0 has been passed then
			_ = h.leader.poller.Poll(h.ctx)
			h.sleep(h.settings.PollInterval)
		}
		h.listings(6)
		if !stateIn(h, "v0").Complete() {
			t.Errorf("eight listings later it says %+v", stateIn(h, "v0"))
		}
	})
}

// Of many that there is little room for, none is wrong for longer than a minute and believed.
func TestHistoryByIDOlderMany(t *testing.T) {
	t.Parallel()
	const volumes = 60
	told(t, volumes, nil, func(h *history) {
		h.leader.contents.Limit(300)
		h.api.Fail = func(call string, _ int) error { // with the API's lock held
			for n := range volumes {
				h.api.Lists["one"][n] = fmt.Sprintf("v%d 1 offline", n)
				if call == fmt.Sprint("volume v", n) {
					h.api.Lists["one"][n] = fmt.Sprintf("v%d 1 online n2", n)
				}
			}
			return nil
		}
		h.listings(15)
		for n := range 25 {
			h.listings(1)
			wrong := 0
			for _, r := range h.records.records {
				if r.Status.Master.Health != "offline" {
					wrong++
				}
			}
			if wrong > 0 && len(h.doubts()) == 0 {
				t.Errorf("poll %d: %d are wrong and believed", n, wrong)
			}
		}
	})
}
