package torture_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
)

// Gates at which the sandbox holds a call of the console until somebody else has changed the callback.
const (
	writing     = "writing"
	readingBack = "reading back"
)

// meeting is somebody else's change that comes between two calls of one change of the console's.
type meeting struct {
	name    string
	none    bool              // the app had no callback when the change was planned
	between string            // the gate at which the console's call waits
	lost    bool              // the answer to the write is lost
	theirs  *sandbox.Callback // what the other one leaves there; nil: nothing
	outcome string
	settled string
	code    int64    // Tencent's answer to the write, 0 for OK or none
	drift   bool     // what the other one did is an entry of its own
	says    []string // of the page
	never   []string // may stand on the page
	app     string   // how the list of apps says that it stands
}

const (
	differs = "The cloud holds something else than what Tencent accepted"
	same    = "the cloud held exactly this"
)

var theirs = &sandbox.Callback{Url: "https://theirs.example.test/live", CallbackCommandList: []string{ended, unlisted}}

// meetings are all that can come between: no comparison can find what happens after it. Whose change was last is what the
// cloud holds, and what the pages say that it holds.
var meetings = []meeting{
	{name: "changed before the write", between: writing, theirs: theirs, outcome: store.Applied, says: []string{same}, never: []string{differs}, app: "In step"},
	{name: "removed before the write", between: writing, outcome: store.Refused, code: 100301, says: []string{"100301", "Create instead"}, never: []string{same, "go on as before"}, app: "Drifted", drift: true},
	{name: "created before the write", none: true, between: writing, theirs: theirs, outcome: store.Refused, code: 100300, says: []string{"100300", "Update instead"}, never: []string{same, "go on as before"}, app: "Drifted", drift: true},
	{name: "changed before the read-back", between: readingBack, theirs: theirs, outcome: store.Applied, says: []string{differs}, never: []string{same}, app: "Drifted", drift: true},
	{name: "removed before the read-back", between: readingBack, outcome: store.Applied, says: []string{differs}, never: []string{same}, app: "Drifted", drift: true},
	{name: "changed before a lost answer is looked into", between: readingBack, lost: true, theirs: theirs, outcome: store.Unknown, settled: store.Overtaken,
		says: []string{"Something else is in the cloud now"}, never: []string{same, differs}, app: "Drifted", drift: true},
}

// TestStranger lets somebody else change the callback between the calls of one change.
func TestStranger(t *testing.T) {
	onBoth(t, len(meetings), func(r *rig) {
		p := r.start("", "--lease=20s") // a call may wait at its gate as long as it takes
		r.signIn(p)
		for i, m := range meetings {
			r.meet(p, r.apps[i], m)
		}
		p.stop()
	})
}

// meet carries one change out, with the other one's in between, and looks at everything that tells of it.
func (r *rig) meet(p *process, app int64, m meeting) {
	r.t.Helper()
	first := r.mustApply(p, r.mustPlan(p, app)) // so that there is a record to drift from
	r.withStore(func(s *store.Store) { r.readBack(s, first) })
	if m.none {
		r.moveTo(app, nil)
	}
	o := r.mustPlan(p, app)
	r.box.Script(sandbox.Fault{SDKAppID: app, Command: "get_callback"}) // the comparison
	write := sandbox.Fault{SDKAppID: app}                               // the next call after it
	if m.between == writing {
		write.Gate = writing
	}
	if m.lost {
		write.Drop = "after"
	}
	r.box.Script(write)
	if m.between == readingBack {
		r.box.Script(sandbox.Fault{SDKAppID: app, Gate: readingBack})
	}
	var number int64
	applied := make(chan error, 1)
	go func() {
		var err error
		number, _, err = r.apply(p, o)
		applied <- err
	}()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	must(r.t, r.box.AwaitGate(ctx, m.between, 1))
	r.moveTo(app, m.theirs)
	r.box.Release(m.between)
	must(r.t, <-applied)
	r.met(p, app, number, o, m)
}

// moveTo is a stranger's change to something of his own; nil removes the callback.
func (r *rig) moveTo(app int64, to *sandbox.Callback) {
	r.mu.Lock()
	r.moved[app] = append(r.moved[app], time.Now())
	r.mu.Unlock()
	r.box.SetCallback(app, to)
}

// readBack waits until nothing is to be done any more for a change.
func (r *rig) readBack(s *store.Store, number int64) {
	r.t.Helper()
	r.until("the callback to be read back", 20*time.Millisecond, func() bool {
		c, err := s.Change(r.t.Context(), number)
		must(r.t, err)
		return !c.Open() && c.NextCheckAt == 0
	})
}

// met compares the cloud, the journal, the page, the export and the list of apps after a meeting.
func (r *rig) met(p *process, app, number int64, o order, m meeting) {
	r.t.Helper()
	r.withStore(func(s *store.Store) { r.readBack(s, number) })
	ours := &sandbox.Callback{Url: o.url, CallbackCommandList: []string{created, ended}}
	holds := m.theirs
	if m.between == writing && m.outcome == store.Applied {
		holds = ours
		entries := writesOf(r.box.Journal())
		if last := entries[len(entries)-1]; !alike(last.Before, m.theirs) {
			r.t.Errorf("%s: it did not come between: the write found %+v", m.name, last.Before)
		}
	}
	cloud, there := r.box.Callback(app)
	if there != (holds != nil) || (there && !alike(&cloud, holds)) {
		r.t.Errorf("%s: the cloud holds %+v (there: %v), want %+v", m.name, cloud, there, holds)
	}
	said := words(r.get(p, fmt.Sprintf("/changes/%d", number)).Find("main"))
	for _, text := range m.says {
		if !strings.Contains(said, text) {
			r.t.Errorf("%s: change %d does not say %q: %s", m.name, number, text, said)
		}
	}
	for _, text := range m.never {
		if strings.Contains(said, text) {
			r.t.Errorf("%s: change %d says %q: %s", m.name, number, text, said)
		}
	}
	if got := words(r.get(p, fmt.Sprintf("/apps?q=%d", app)).Find("tbody")); !strings.Contains(got, m.app) {
		r.t.Errorf("%s: the list of apps does not say %q: %s", m.name, m.app, got)
	}
	r.metInHistory(p, app, number, o, m)
}

// metInHistory wants the export to tell the change as it ended, and the other one's beside it when it was found.
func (r *rig) metInHistory(p *process, app, number int64, o order, m meeting) {
	r.t.Helper()
	lines := r.exported(p, app)
	at := slices.IndexFunc(lines, func(l line) bool { return l.Number == number })
	if at < 0 {
		r.t.Fatalf("%s: change %d is not exported: %+v", m.name, number, lines)
	}
	l := lines[at]
	if l.Kind != store.KindChange || l.Outcome != m.outcome || l.Settled != m.settled || l.ErrorCode != m.code || l.Wanted == nil || l.Wanted.URL != o.url {
		r.t.Errorf("%s: change %d is exported as %+v, %+v; want %s, settled %q, code %d and %s", m.name, number, l, l.Wanted, m.outcome, m.settled, m.code, o.url)
	}
	later := slices.DeleteFunc(lines, func(l line) bool { return l.Number <= number })
	if m.drift != (len(later) == 1 && later[0].Kind == store.KindDrift) || (!m.drift && len(later) > 0) {
		r.t.Errorf("%s: after change %d the export has %+v; one drift: %v", m.name, number, later, m.drift)
	}
}

// line is what is looked at of a line of the export.
type line struct {
	Number    int64  `json:"number"`
	Kind      string `json:"kind"`
	Outcome   string `json:"outcome"`
	Settled   string `json:"settled"`
	ErrorCode int64  `json:"error_code"`
	Wanted    *struct {
		URL string `json:"url"`
	} `json:"wanted"`
}

// exported takes the history of an app as JSON lines.
func (r *rig) exported(p *process, app int64) []line {
	r.t.Helper()
	answer, err := r.client.Get(fmt.Sprintf("%s/history.jsonl?q=%d", p.url, app))
	must(r.t, err)
	defer answer.Body.Close()
	var list []line
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var l line
		must(r.t, lines.Decode(&l))
		list = append(list, l)
	}
	return list
}

func alike(a, b *sandbox.Callback) bool {
	return a != nil && b != nil && store.NewConfiguration(a.Url, a.CallbackCommandList).Equal(store.NewConfiguration(b.Url, b.CallbackCommandList))
}
