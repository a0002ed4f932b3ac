package changes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// tokenBase is what the apps of these tests have as callback.
var tokenBase = store.NewConfiguration("https://token.example/cb", []string{"Live.CallbackAfterCreateRoom"})

// planToken plans an act on the token of an app.
func (r *rig) planToken(id int64, act, token string) store.Plan {
	r.t.Helper()
	p, _, err := r.MakeTokenPlan(r.ctx(), mei, TokenProposal{SDKAppID: id, Act: act, Token: token, Reason: "because"})
	r.must(err)
	return p
}

// kept counts the plans that hold a token.
func (r *rig) kept() int {
	var n int
	r.must(r.raw.QueryRowContext(r.ctx(), `SELECT COUNT(*) FROM plans WHERE token IS NOT NULL`).Scan(&n))
	return n
}

func TestTokenActs(t *testing.T) {
	none, on, off := (*sandbox.Token)(nil), &sandbox.Token{Token: "old-token", IsTokenEnable: true}, &sandbox.Token{Token: "old-token"}
	tests := []struct {
		name       string
		has        *sandbox.Token
		act, token string
		does       string // what the summary says, "" for nothing to send
		want       *sandbox.Token
		ticks      int
	}{
		{"first set", none, TokenSet, "new-token", "set", &sandbox.Token{Token: "new-token", IsTokenEnable: true}, 0},
		{"replaced", on, TokenSet, "new-token", "replaced", &sandbox.Token{Token: "new-token", IsTokenEnable: true}, 1},
		{"replaced while off", off, TokenSet, "new-token", "replaced", &sandbox.Token{Token: "new-token", IsTokenEnable: true}, 1},
		{"the same again", on, TokenSet, "old-token", "", on, 0},
		{"the same, switched on", off, TokenSet, "old-token", "on", on, 0},
		{"longest", none, TokenSet, strings.Repeat("x", maxToken), "set", &sandbox.Token{Token: strings.Repeat("x", maxToken), IsTokenEnable: true}, 0},
		{"switched off", on, TokenDisable, "", "off", off, 1},
		{"switched on", off, TokenEnable, "", "on", on, 0},
		{"on already", on, TokenEnable, "", "", on, 0},
		{"nothing to switch", none, TokenEnable, "", "", none, 0},
		{"deleted", on, TokenDelete, "", "deleted", none, 1},
		{"nothing to delete", none, TokenDelete, "", "", none, 0},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(tokenBase)
			r.sandbox.SetToken(id, test.has)
			p := r.planToken(id, test.act, test.token)
			full, err := r.Plan(r.ctx(), id, p.ID)
			r.must(err)
			if got := full.Diff.Summary().Token; got != test.does || full.Nothing() != (test.does == "") || len(Ticks(full.Consequences)) != test.ticks {
				t.Errorf("%s: the plan does %q with ticks %q", test.name, got, Ticks(full.Consequences))
			}
			if strings.Contains(string(full.Body), "token") || (test.token != "" && strings.Contains(string(full.Body), test.token)) {
				t.Errorf("%s: the plan shows %s", test.name, full.Body)
			}
			if test.does == "" {
				if _, err := r.Apply(r.ctx(), mei, id, p.ID, nil); !errors.Is(err, ErrNothing) {
					t.Errorf("%s: %v", test.name, err)
				}
				continue
			}
			c := r.apply(p)
			if c.Outcome != store.Applied || c.Kind != store.KindToken {
				t.Errorf("%s: %s %s", test.name, c.Kind, c.Outcome)
			}
			got, set := r.sandbox.Token(id)
			if set != (test.want != nil) || (set && got != *test.want) {
				t.Errorf("%s: Tencent has %v %v", test.name, got, set)
			}
			v, err := r.LookToken(r.ctx(), id)
			if err != nil || v.State.Set != set || v.State.Enabled != got.IsTokenEnable || v.State.Length != len(got.Token) || v.Since == nil || v.Since.Number != c.Number {
				t.Errorf("%s: the look says %+v, since %v, %v", test.name, v.State, v.Since, err)
			}
			// Our record is about the callback.
			if a := r.find(id); a.Record != tokenBase.Digest() || a.Drift != 0 {
				t.Errorf("%s: our record is %s", test.name, a.Record)
			}
		}
		r.must(r.store.DropExpiredTokens(r.ctx()))
		if n := r.kept(); n != 1 { // that of the plan with nothing to send, which can be looked at until it expires
			t.Errorf("%d plans hold a token", n)
		}
		r.clock.move(PlanLife + time.Minute)
		r.must(r.store.DropExpiredTokens(r.ctx()))
		if n := r.kept(); n != 0 {
			t.Errorf("%d plans hold a token after they expired", n)
		}
	})
}

func TestTokenProposals(t *testing.T) {
	for _, test := range []struct {
		name, token, reason string
		want                string
	}{
		{"empty", "", "why", "token_length"},
		{"too long", strings.Repeat("x", maxToken+1), "why", "token_length"},
		{"a blank", "a b", "why", "token_text"},
		{"a line end", "ab\n", "why", "token_text"},
		{"broken text", "a\xff", "why", "token_text"},
		{"NUL", "a\x00", "why", "token_text"},
		{"no reason", "token", " ", "reason_missing"},
	} {
		list := TokenProposal{Act: TokenSet, Token: test.token, Reason: test.reason}.problems()
		if len(list) != 1 || list[0].ID != test.want {
			t.Errorf("%s: %v, want %s", test.name, list, test.want)
		}
	}
}

// TestTokenEndings is about answers that do not say applied.
func TestTokenEndings(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		had := &sandbox.Token{Token: "old-token", IsTokenEnable: true}
		tests := []struct {
			name    string
			fault   sandbox.Fault
			outcome string
			settled string
		}{
			{"refused", sandbox.Fault{Command: "set_callback_token", Code: 100002}, store.Refused, ""},
			{"not read", sandbox.Fault{Command: "get_callback_token", Status: 502}, store.NotSent, ""},
			{"answer lost, applied", sandbox.Fault{Command: "set_callback_token", Drop: "after"}, store.Unknown, store.Applied},
			{"answer lost, not applied", sandbox.Fault{Command: "set_callback_token", Drop: "before"}, store.Unknown, store.NotApplied},
		}
		for _, test := range tests {
			id := r.app(tokenBase)
			r.sandbox.SetToken(id, had)
			p := r.planToken(id, TokenSet, "new-token")
			test.fault.SDKAppID = id
			r.sandbox.Script(test.fault)
			c := r.apply(p)
			if c.Outcome != test.outcome {
				t.Errorf("%s: %s", test.name, c.Outcome)
			}
			if n := r.kept(); n != 0 {
				t.Errorf("%s: %d plans hold a token after the end", test.name, n)
			}
			if test.settled != "" {
				r.pass("grace", c.Number, time.Second)
				r.checkNow(c.Number)
				if c = r.change(c.Number); c.Settled != test.settled {
					t.Errorf("%s: settled %q, want %q", test.name, c.Settled, test.settled)
				}
			}
			for _, a := range []string{"old-token", "new-token"} {
				x, err := storetest.Exchange(r.ctx(), r.store, c.Number)
				if err == nil && strings.Contains(string(x.Request)+string(x.Answer), a) {
					t.Errorf("%s: the exchange holds a token: %s %s", test.name, x.Request, x.Answer)
				}
			}
			if _, _, err := r.Again(r.ctx(), mei, c.Number, ""); !errors.Is(err, ErrNothing) {
				t.Errorf("%s: it can be repeated: %v", test.name, err)
			}
		}
	})
}

func TestTokenMovedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(tokenBase)
		p := r.planToken(id, TokenSet, "mine")
		r.sandbox.SetToken(id, &sandbox.Token{Token: "theirs", IsTokenEnable: true})
		c := r.apply(p)
		if got, _ := r.sandbox.Token(id); c.Outcome != store.NotSent || c.Cause != store.CauseMoved || got.Token != "theirs" {
			t.Errorf("%s %s, Tencent has %v", c.Outcome, c.Cause, got)
		}
	})
}

func TestStaleTokenPlanKeepsNoToken(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(tokenBase)
		older := r.planToken(id, TokenGenerate, "")
		r.apply(r.planToken(id, TokenSet, "newer"))
		if c := r.apply(older); c.Outcome != store.NotSent || c.Cause != store.CauseStale {
			t.Errorf("%s %s", c.Outcome, c.Cause)
		}
		if n := r.kept(); n != 0 {
			t.Errorf("%d plans hold a token", n)
		}
	})
}

func TestTokenOfAnArchivedAppIsNotRead(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(tokenBase)
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		before := len(r.sandbox.Journal())
		if v, err := r.LookToken(r.ctx(), id); err != nil || v.Known || len(r.sandbox.Journal()) != before {
			t.Errorf("%+v, %v, %d calls", v, err, len(r.sandbox.Journal())-before)
		}
		if _, _, err := r.MakeTokenPlan(r.ctx(), mei, TokenProposal{SDKAppID: id, Act: TokenDelete, Reason: "x"}); !errors.Is(err, store.ErrArchived) {
			t.Errorf("a plan: %v", err)
		}
	})
}

func TestGeneratedTokenIsShownOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(tokenBase)
		p := r.planToken(id, TokenGenerate, "")
		other := mei
		other.UserID++
		if _, err := r.store.ShowToken(r.ctx(), other, p.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody else sees it: %v", err)
		}
		token, err := r.store.ShowToken(r.ctx(), mei, p.ID)
		r.must(err)
		if _, err := r.store.ShowToken(r.ctx(), mei, p.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("it is shown twice: %v", err)
		}
		if c := r.apply(p); c.Outcome != store.Applied {
			t.Fatalf("%s", c.Outcome)
		}
		if got, _ := r.sandbox.Token(id); got.Token != token || len(token) < 32 {
			t.Errorf("Tencent has %d characters, %d were shown, or others", len(got.Token), len(token))
		}
		typed := r.planToken(id, TokenSet, "typed")
		if _, err := r.store.ShowToken(r.ctx(), mei, typed.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a token that was typed is shown: %v", err)
		}
	})
}

func TestRotation(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(tokenBase)
		r.sandbox.SetToken(id, &sandbox.Token{Token: "old", IsTokenEnable: true})
		if err := r.store.TickRotation(r.ctx(), mei, id, store.RotationSeen); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a tick without a rotation: %v", err)
		}
		p := r.planToken(id, TokenRotate, "")
		if _, _, err := r.MakeTokenPlan(r.ctx(), mei, TokenProposal{SDKAppID: id, Act: TokenRotate, Reason: "again"}); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("a second rotation: %v", err)
		}
		if n := r.kept(); n != 1 {
			t.Errorf("%d plans hold a token, want that of the rotation alone", n)
		}
		r.must(r.store.TickRotation(r.ctx(), mei, id, store.RotationLearned))
		first, err := r.store.Rotation(r.ctx(), id)
		r.must(err)
		if first.Plan != p.ID || first.Learned.At == 0 || first.Learned.By != mei.Name || first.Seen.At != 0 {
			t.Errorf("%+v", first)
		}
		r.clock.move(time.Hour)
		other := mei
		other.Name = "somebody else"
		if err := r.store.TickRotation(r.ctx(), other, id, store.RotationLearned); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a step that was ticked: %v", err)
		}
		if again, err := r.store.Rotation(r.ctx(), id); err != nil || again != first {
			t.Errorf("a step that was ticked moved: %+v, %v", again, err)
		}
		if err := r.store.TickRotation(r.ctx(), mei, id, "id = 1 --"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown step: %v", err)
		}
		r.must(r.store.EndRotation(r.ctx(), mei, id))
		if _, err := r.store.Rotation(r.ctx(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its end: %v", err)
		}
		r.planToken(id, TokenRotate, "")
	})
}

// TestSignatureBench uses the samples of the reference, section 5.6.
func TestSignatureBench(t *testing.T) {
	now := time.Unix(1735689600, 0)
	sum := sha256.Sum256([]byte("demo-token-1" + "1735689500"))
	tests := []struct {
		name, token, address string
		problem              string
		inside               bool
	}{
		{"sample", "demo-token-1", "https://a.example/cb?SdkAppid=1&CallbackCommand=x&Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600", "", true},
		{"request line", "demo-token-1", "POST /cb?Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600 HTTP/1.1", "", true},
		{"query alone", "demo-token-1", "Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600", "", true},
		{"Tencent's sample, long ago", "xxxxyyyy", "?Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112", "", false},
		{"odd characters, ahead of the clock", "s3cr3t/+=&?", "?Sign=e0bcf5eb6b21c54a3897d4ab8008e18b27a44a27b3e5743188d33a8a6ddb139f&RequestTime=1767225600", "", false},
		{"over a minute ago", "demo-token-1", "?Sign=" + hex.EncodeToString(sum[:]) + "&RequestTime=1735689500", "", false},
		{"another token", "demo-token-2", "?Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600", "sign", true},
		{"another time", "demo-token-1", "?Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689601", "sign", true},
		{"in capitals", "demo-token-1", "?Sign=3D71664380E98315581C949FB12CD7E956E4C46A500AB797F73E88381DE661AB&RequestTime=1735689600", "sign", true},
		{"no token", "", "?Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600", "no_token", true},
		{"no Sign", "demo-token-1", "https://a.example/cb?RequestTime=1735689600", "sign_missing", false},
		{"no RequestTime", "demo-token-1", "https://a.example/cb?Sign=abc", "time_missing", false},
		{"RequestTime is no number", "demo-token-1", "https://a.example/cb?Sign=abc&RequestTime=now", "time_text", false},
		{"RequestTime is huge", "demo-token-1", "https://a.example/cb?Sign=abc&RequestTime=99999999999999", "time_text", false},
		{"nothing", "demo-token-1", "", "nothing", false},
		{"prose", "demo-token-1", "is this from Tencent?", "nothing", false},
		{"broken escape", "demo-token-1", "?Sign=%zz&RequestTime=1", "nothing", false},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		r.clock.move(time.Until(now))
		id := r.app(tokenBase)
		for _, test := range tests {
			r.sandbox.SetToken(id, nil)
			if test.token != "" {
				r.sandbox.SetToken(id, &sandbox.Token{Token: test.token, IsTokenEnable: true})
			}
			v, _, err := r.CheckSignature(r.ctx(), id, test.address)
			if err != nil || v.Problem != test.problem || v.Inside != test.inside {
				t.Errorf("%s: %+v, %v", test.name, v, err)
			}
			if test.token != "" && strings.Contains(fmt.Sprintf("%+v", v), test.token) {
				t.Errorf("%s: the verdict holds the token", test.name)
			}
		}
		r.sandbox.Script(sandbox.Fault{Command: "get_callback_token", Status: 502})
		if _, v, err := r.CheckSignature(r.ctx(), id, tests[0].address); !errors.Is(err, ErrNoReading) || v.Reply.HTTPStatus != 502 {
			t.Errorf("the token cannot be read: %v, %v", v.Reply, err)
		}
	})
}
