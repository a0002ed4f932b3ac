package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"callboard/store"
)

func TestInFlight(t *testing.T) {
	const mei, ota = 1, 2
	var f inFlight
	var leaves []func()
	take := func(name string, user int64, slot string, want bool) {
		t.Helper()
		leave, ok := f.enter(user, slot)
		if ok != want {
			t.Errorf("%s: %v, want %v", name, ok, want)
		}
		if ok {
			leaves = append(leaves, leave)
		}
	}
	for range 63 {
		take("up to the 63rd", mei, "", true)
	}
	take("the 64th", mei, "plan a", true)
	take("the 65th", mei, "", false)
	take("another plan", mei, "plan b", false)
	for range maxOfPlan - 1 {
		take("up to the last post of a plan", mei, "plan a", true)
	}
	take("one post of a plan too many", mei, "plan a", false)
	take("somebody else", ota, "", true)
	take("somebody else with the same plan", ota, "plan a", true)
	leaves[0]()
	take("after one has left", mei, "", true)
	take("and again", mei, "", false)
	for _, leave := range leaves[1:] {
		leave()
	}
	if len(f.slots) != 0 {
		t.Errorf("when all have left, %v is still held", f.slots)
	}
}

// openWorld is a world whose server a test can reach.
func openWorld(t *testing.T) (*world, *server) {
	t.Helper()
	w := newWorld(t)
	w.options.Zone = time.UTC
	s := &server{Options: w.options}
	var err error
	w.pages, err = s.router()
	must(t, err)
	return w, s
}

func TestGreedyPersonIsToldToWait(t *testing.T) {
	w, s := openWorld(t)
	b, other := w.as(store.Operator), w.as(store.Support)
	plan := b.plan(appID, newURL, created, ended)
	id := strings.TrimPrefix(plan, formOf(appID)+"/review/")
	user := w.users[store.Operator].ID
	hold := func(slot string) {
		if _, ok := s.underWay.enter(user, slot); !ok {
			t.Fatal("no place was free")
		}
	}
	hold("plan " + id)
	for range maxInFlight - 2 {
		hold("")
	}
	wantStatus(t, b.get("/events"), http.StatusOK) // takes the last place and leaves it
	hold("")
	left := w.effects()
	for p, typed := range map[page]string{b.get("/events"): "", b.get("/history.jsonl"): "", b.post("/account", url.Values{"do": {"preferences"}}): "preferences", b.post(formOf(appID)+"/review", url.Values{"plan": {id}}): id} {
		wantStatus(t, p, http.StatusTooManyRequests)
		if given := fieldsOf(p.doc.Find("main form")); given.Get("do")+given.Get("plan") != typed {
			t.Errorf("of %q there is %q to send again", typed, given)
		}
		if p.Header().Get("Retry-After") != strconv.Itoa(retryAfter) || p.text("h1") != w.T("problem.in_flight.title") {
			t.Errorf("Retry-After %q, heading %q", p.Header().Get("Retry-After"), p.text("h1"))
		}
	}
	if len(w.effects().Rows["users"]) != len(left.Rows["users"]) || w.effects().Calls != left.Calls {
		t.Error("a request that had to wait did something")
	}
	wantStatus(t, other.get("/events"), http.StatusOK)
	wantStatus(t, w.browser().get("/sign-in"), http.StatusOK)
	// The post of the plan whose place is held already goes through.
	wantSeeOther(t, b.post(formOf(appID)+"/apply", url.Values{"plan": {id}, "tick": {"host"}}), "/changes/1")
}

// TestStrangersSendLittle: whoever has no session cannot fill the memory with many large forms at once.
func TestStrangersSendLittle(t *testing.T) {
	w := newWorld(t)
	large := url.Values{"do": {"preferences"}, "username": {strings.Repeat("x", 70<<10)}, "password": {"x"}}
	stranger := w.browser()
	stranger.get("/sign-in")
	wantStatus(t, stranger.post("/sign-in", large), http.StatusRequestEntityTooLarge)
	large.Set("username", strings.Repeat("x", 60<<10))
	wantStatus(t, stranger.post("/sign-in", large), http.StatusUnprocessableEntity)
	large.Set("username", strings.Repeat("x", 900<<10))
	wantStatus(t, w.as(store.Support).post("/account", url.Values{"theme": {"dark"}, "more": large["username"]}), http.StatusSeeOther)
	stranger.cookies["callboard_session"] = "made-up"
	wantStatus(t, stranger.post("/sign-in", large), http.StatusRequestEntityTooLarge)
}
