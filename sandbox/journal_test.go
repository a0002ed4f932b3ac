package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJournal(t *testing.T) {
	c := &clock{now: day}
	s := startServer(t, Options{Now: c.Now})
	client := newClient(t)
	one := &Callback{Url: "http://a", CallbackCommandList: []string{"A"}}
	two := &Callback{Url: "http://b", CallbackCommandList: []string{}}
	cases := []struct {
		target, body string
		want         Entry
	}{
		{pathPrefix + "set_callback?" + query("random", "4294967295"), `{"Url":"http://a","CallbackCommandList":["A"]}`,
			Entry{Random: 4294967295, SDKAppID: appID, Command: "set_callback", Identifier: admin, Applied: true, After: one}},
		{pathPrefix + "get_callback?" + query("random", "0"), `{}`,
			Entry{SDKAppID: appID, Command: "get_callback", Identifier: admin, Before: one, After: one}},
		{pathPrefix + "set_callback?" + query(), `{"Url":"http://b","CallbackCommandList":[]}`,
			Entry{Random: 7, SDKAppID: appID, Command: "set_callback", Identifier: admin, Verdict: 100300, Before: one, After: one}},
		{pathPrefix + "update_callback?" + query(), `{"Url":"http://b","CallbackCommandList":[]}`,
			Entry{Random: 7, SDKAppID: appID, Command: "update_callback", Identifier: admin, Applied: true, Before: one, After: two}},
		{pathPrefix + "set_callback_token?" + query(), tokenBody,
			Entry{Random: 7, SDKAppID: appID, Command: "set_callback_token", Identifier: admin, Applied: true}},
		{pathPrefix + "get_callback_token?" + query(), `{}`,
			Entry{Random: 7, SDKAppID: appID, Command: "get_callback_token", Identifier: admin}},
		{pathPrefix + "delete_callback?" + query(), `{}`,
			Entry{Random: 7, SDKAppID: appID, Command: "delete_callback", Identifier: admin, Applied: true, Before: two}},
		{pathPrefix + "delete_callback?" + query(), `{}`,
			Entry{Random: 7, SDKAppID: appID, Command: "delete_callback", Identifier: admin}},
		{pathPrefix + "get_callback?" + query("sdkappid", "x", "random", "y", "identifier", "z"), `{}`,
			Entry{Command: "get_callback", Identifier: "z", Verdict: 60006}},
		{"/a/b", `{}`, Entry{Command: "/a/b", Verdict: 60009}},
	}
	var want []Entry
	for _, step := range cases {
		c.move(time.Second)
		got, err := send(client, request(t, http.MethodPost, s.APIURL()+step.target, step.body))
		if err != nil {
			t.Fatal(err)
		}
		step.want.At, step.want.Host, step.want.Answered = c.Now(), strings.TrimPrefix(s.APIURL(), "http://"), true
		step.want.RequestID = got.requestID()
		want = append(want, step.want)
	}
	got := s.Journal()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got[0].After.CallbackCommandList[0] = "changed"
	if diff := cmp.Diff(want, s.Journal()); diff != "" {
		t.Error("the journal handed out is not a copy: ", diff)
	}
	s.ClearJournal()
	if left := s.Journal(); len(left) != 0 {
		t.Errorf("after ClearJournal: %v", left)
	}
}

func TestJournalIsBounded(t *testing.T) {
	s := memoryServer(t, Options{})
	s.mu.Lock()
	for i := range journalLimit + 1 {
		s.record(&Entry{Command: fmt.Sprint(i)})
	}
	s.mu.Unlock()
	entries := s.Journal()
	if len(entries) != journalLimit-journalLimit/10+1 || entries[0].Command != fmt.Sprint(journalLimit/10) || entries[len(entries)-1].Command != fmt.Sprint(journalLimit) {
		t.Errorf("%d entries from %s to %s", len(entries), entries[0].Command, entries[len(entries)-1].Command)
	}
}
