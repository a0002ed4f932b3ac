package changes

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"callboard/store"
	"callboard/tencent"
)

// maxToken is the longest token (647/69528), in bytes.
const maxToken = 128

// Acts on a token.
const (
	TokenSet      = "set"      // one that the person gives
	TokenGenerate = "generate" // one that is made here
	TokenRotate   = "rotate"   // as generate, with the checklist
	TokenEnable   = "enable"
	TokenDisable  = "disable"
	TokenDelete   = "delete"
)

// TokenView is what is known of an app's token after a look.
type TokenView struct {
	App   store.App
	State store.TokenState
	Known bool // the look succeeded; none set is known too
	// Rested says that no call was made because the host did not answer a moment ago.
	Rested bool
	Reply  tencent.Reply
	// Since is the change that made the token what it is, nil when that was not made here.
	Since *store.Change
}

// PeekToken looks at an app's token for a page: it waits formWait at most, and not at all for a host that did not answer a
// moment ago.
func (s *Service) PeekToken(ctx context.Context, sdkappid int64) (TokenView, error) {
	return s.lookToken(ctx, sdkappid, true)
}

// LookToken reads an app's token now, unless the app is archived. The token itself does not leave this call.
func (s *Service) LookToken(ctx context.Context, sdkappid int64) (TokenView, error) {
	return s.lookToken(ctx, sdkappid, false)
}

func (s *Service) lookToken(ctx context.Context, sdkappid int64, polite bool) (TokenView, error) {
	app, target, err := s.target(ctx, sdkappid)
	v := TokenView{App: app}
	if app.ArchivedAt != 0 {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if polite && s.resting.silent(target.Region.Host, s.clock()) {
		v.Rested = true
		return v, nil
	}
	found, reply := s.readToken(ctx, target, formWait)
	v.Reply = reply
	if found == nil {
		return v, nil
	}
	v.State, v.Known = found.Token()
	list, err := s.store.History(ctx, store.Filter{SDKAppID: sdkappid, Kind: store.KindToken, State: store.Applied, Limit: 1})
	if err == nil && len(list) == 1 && list[0].Wanted == found.Digest() {
		v.Since = &list[0]
	}
	return v, err
}

// readToken asks Tencent for the state of the token. nil: the read failed. 100302 is a successful reading of none.
func (s *Service) readToken(ctx context.Context, t tencent.Target, limit time.Duration) (*store.Configuration, tencent.Reply) {
	token, reply := s.fetchToken(ctx, t, limit)
	state := store.TokenState{}
	switch {
	case reply.Accepted():
		var err error
		if state, err = s.store.TokenState(t.SDKAppID, token.Value.Reveal(), token.Enabled); err != nil {
			s.log.Error("a token could not be described", "sdkappid", t.SDKAppID, "err", err)
			return nil, reply
		}
	case reply.Ending != tencent.Refused || reply.ErrorCode != tencent.CodeNoToken:
		return nil, reply
	}
	c := store.TokenConfiguration(state)
	return &c, reply
}

func (s *Service) fetchToken(ctx context.Context, t tencent.Target, limit time.Duration) (tencent.Token, tencent.Reply) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	random, err := draw()
	if err != nil {
		return tencent.Token{}, tencent.Reply{Call: tencent.CallGetToken, Ending: tencent.NotSent, Fault: tencent.FaultSign}
	}
	begun := time.Now()
	token, reply := s.client.GetToken(limited, t, random)
	return token, s.hear(ctx, reply, begun, limit)
}

// TokenProposal is what the token page asks for.
type TokenProposal struct {
	SDKAppID int64
	Act      string
	Token    string // for TokenSet
	Reason   string
}

// MakeTokenPlan reads the token and stores what is asked for as a plan. Mistakes come back as Problems. ErrNoReading:
// the token could not be read; the view says why. store.ErrDuplicate: a rotation is under way.
func (s *Service) MakeTokenPlan(ctx context.Context, a store.Actor, p TokenProposal) (store.Plan, TokenView, error) {
	if problems := p.problems(); len(problems) > 0 {
		return store.Plan{}, TokenView{}, problems
	}
	v, err := s.LookToken(ctx, p.SDKAppID)
	if err != nil {
		return store.Plan{}, v, err
	}
	if v.App.ArchivedAt != 0 {
		return store.Plan{}, v, store.ErrArchived
	}
	if !v.Known {
		return store.Plan{}, v, ErrNoReading
	}
	plan, err := s.keepTokenPlan(ctx, a, p, v)
	return plan, v, err
}

func (p TokenProposal) problems() Problems {
	list := reasonProblems(p.Reason)
	if p.Act != TokenSet {
		// Enter in the token's field presses the first button: who typed a token would get another one.
		if p.Token != "" {
			list = append(list, Problem{Field: "token", ID: "token_unused"})
		}
		return list
	}
	if n := len(p.Token); n == 0 || n > maxToken {
		list = append(list, Problem{Field: "token", ID: "token_length", Args: map[string]any{"limit": maxToken}})
	} else if !utf8.ValidString(p.Token) || strings.ContainsFunc(p.Token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		list = append(list, Problem{Field: "token", ID: "token_text"})
	}
	return list
}

func (s *Service) keepTokenPlan(ctx context.Context, a store.Actor, p TokenProposal, v TokenView) (store.Plan, error) {
	plan := store.Plan{Kind: store.KindToken, SDKAppID: p.SDKAppID, Call: string(tencent.CallSetToken), BaseSeen: s.now(), Reason: store.Visible(p.Reason),
		Region: v.App.Region, ExpiresAt: s.now() + PlanLife.Milliseconds()}
	var err error
	if plan.ID, err = planID(); err != nil {
		return plan, err
	}
	token, generated := p.Token, p.Act == TokenGenerate || p.Act == TokenRotate
	if generated {
		token = newToken()
	}
	wanted := v.State
	switch p.Act {
	case TokenDelete:
		plan.Call, wanted, token = string(tencent.CallDeleteToken), store.TokenState{}, ""
	case TokenEnable, TokenDisable:
		// Without a token there is nothing to switch.
		wanted.Enabled, token = wanted.Set && p.Act == TokenEnable, ""
	default:
		if wanted, err = s.store.TokenState(p.SDKAppID, token, true); err != nil {
			return plan, err
		}
	}
	return s.store.AddTokenPlan(ctx, a, plan, store.TokenConfiguration(v.State), store.TokenConfiguration(wanted), store.NewToken{Value: token, Show: generated, Rotate: p.Act == TokenRotate})
}

// newToken is 256 random bits in letters that no URL changes.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// tokenChange is what a plan about a token sends.
func (s *Service) tokenChange(ctx context.Context, p FullPlan) (tencent.TokenChange, error) {
	before, _ := p.Diff.Before.Token()
	after, _ := p.Diff.After.Token()
	change := tencent.TokenChange{Enabled: &after.Enabled}
	if before.MAC == after.MAC {
		return change, nil
	}
	token, err := s.store.PlanToken(ctx, p.ID)
	if err != nil {
		return change, err
	}
	secret := tencent.Secret(token)
	change.Value = &secret
	return change, nil
}

// tokenBody is what a plan about a token sends, for people to read: the token is left out.
func tokenBody(d Diff) []byte {
	before, _ := d.Before.Token()
	after, _ := d.After.Token()
	switch {
	case !after.Set:
		return []byte(`{}`)
	case before.MAC == after.MAC:
		return []byte(`{"IsTokenEnable":` + strconv.FormatBool(after.Enabled) + `}`)
	}
	return []byte(`{"Token":"[removed]","IsTokenEnable":` + strconv.FormatBool(after.Enabled) + `}`)
}

// tokenAct names what a difference of tokens does: "set", "replaced", "on", "off", "deleted", or "" for nothing.
func tokenAct(d Diff) string {
	before, _ := d.Before.Token()
	after, ok := d.After.Token()
	switch {
	case !ok || before == after:
		return ""
	case !after.Set:
		return "deleted"
	case !before.Set:
		return "set"
	case before.MAC != after.MAC:
		return "replaced"
	case after.Enabled:
		return "on"
	}
	return "off"
}

// tokenConsequences say what a difference of tokens means for the receiver.
func tokenConsequences(d Diff) []Consequence {
	act := tokenAct(d)
	if act == "" {
		return nil
	}
	c := Consequence{ID: "token_" + act, Level: Warning, Tick: "token"}
	if act == "set" || act == "on" {
		c.Level, c.Tick = "info", ""
	}
	return []Consequence{c}
}

// signWindow is how far RequestTime may lie from now (647/64412).
const signWindow = time.Minute

// Verdict is what the signature bench says about a received address. Problem "" means that the signature fits.
type Verdict struct {
	Problem string // "nothing", "sign_missing", "time_missing", "time_text", "no_token", "sign"
	At      time.Time
	Age     time.Duration // of RequestTime; negative: from a time to come
	Inside  bool          // the age lies inside the window
	AppID   string        // the SdkAppid of the address
}

// CheckSignature compares the Sign of a received callback address with the app's token, which it reads now. ErrNoReading:
// the token could not be read; the view says why.
func (s *Service) CheckSignature(ctx context.Context, sdkappid int64, address string) (Verdict, TokenView, error) {
	v, sign, stamp := readAddress(address, s.clock())
	if v.Problem != "" {
		return v, TokenView{}, nil
	}
	app, target, err := s.target(ctx, sdkappid)
	if err != nil {
		return v, TokenView{}, err
	}
	token, reply := s.fetchToken(ctx, target, formWait)
	view := TokenView{App: app, Reply: reply}
	switch {
	case reply.Accepted():
		sum := sha256.Sum256([]byte(token.Value.Reveal() + stamp))
		if token.Value.Reveal() == "" || subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(sign)) != 1 {
			v.Problem = "sign"
		}
	case reply.Ending == tencent.Refused && reply.ErrorCode == tencent.CodeNoToken:
		v.Problem = "no_token"
	default:
		return v, view, ErrNoReading
	}
	return v, view, nil
}

// readAddress finds the parts of a signature in what a person pasted: an address, a request line, or a query alone.
func readAddress(text string, now time.Time) (v Verdict, sign, stamp string) {
	_, query, found := strings.Cut(text, "?")
	if !found {
		query = text
	}
	query, _, _ = strings.Cut(strings.TrimSpace(query), " ")
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	if err != nil || len(q) == 0 || !strings.Contains(query, "=") {
		v.Problem = "nothing"
		return v, "", ""
	}
	sign, stamp = q.Get("Sign"), q.Get("RequestTime")
	v.AppID = q.Get("SdkAppid")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	switch {
	case sign == "":
		v.Problem = "sign_missing"
	case stamp == "":
		v.Problem = "time_missing"
	case err != nil || seconds < 0 || seconds > 1<<40:
		v.Problem = "time_text"
	default:
		v.At = time.Unix(seconds, 0)
		v.Age = now.Sub(v.At)
		v.Inside = v.Age.Abs() <= signWindow
	}
	return v, sign, stamp
}
