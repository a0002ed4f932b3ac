package tencent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

const (
	readLimit = 1 << 20  // of an answer, in bytes
	keepLimit = 64 << 10 // of a masked answer, in bytes
)

// call makes one call and gives its reply and, of an accepted one, the Response member.
func (c *Client) call(ctx context.Context, call Call, t Target, random uint32, body any, token Secret) (Reply, json.RawMessage) {
	start := c.options.Now()
	x := &exchange{
		client: c,
		target: t,
		masker: newMasker(t.Key.Reveal(), token.Reveal()),
		reply:  Reply{Call: call, Host: t.Region.Host, Random: random, Ending: NotSent, StartedAt: start},
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.HTTPTimeout)
	defer cancel()
	x.run(ctx, body)
	x.reply.Duration = c.options.Now().Sub(start)
	return x.reply, x.response
}

// exchange is one call on its way.
type exchange struct {
	client   *Client
	target   Target
	masker   *masker
	reply    Reply
	response json.RawMessage
}

func (x *exchange) run(ctx context.Context, body any) {
	text, err := encode(body)
	if err != nil {
		x.reply.Fault = FaultRequest
		return
	}
	x.reply.Request = x.describe(text)
	if overdue(ctx) {
		x.reply.Fault = FaultLate
		return
	}
	if err := x.client.limits[x.reply.Call].Wait(ctx); err != nil {
		x.reply.Fault = FaultLimited
		return
	}
	sig, err := sign(x.target, x.client.options.SigLife)
	if err != nil {
		x.reply.Fault = FaultSign
		return
	}
	x.masker.add(sig)
	x.send(ctx, sig, text)
}

// encode gives the body as JSON, and refuses texts that are not UTF-8: JSON would send something else for them.
func encode(body any) ([]byte, error) {
	if !utf8Only(body) {
		return nil, errors.New("a text is not UTF-8")
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func utf8Only(body any) bool {
	switch b := body.(type) {
	case callbackJSON:
		for _, word := range b.CallbackCommandList {
			if !utf8.ValidString(word) {
				return false
			}
		}
		return utf8.ValidString(b.URL)
	case tokenBody:
		return b.Token == nil || utf8.ValidString(*b.Token)
	}
	return true
}

// sign makes a UserSig for this one call. The module signs with the machine's clock.
func sign(t Target, life time.Duration) (string, error) {
	id := int(t.SDKAppID)
	if t.SDKAppID <= 0 || int64(id) != t.SDKAppID || t.Identifier == "" || t.Key == "" || !utf8.ValidString(t.Identifier) {
		return "", errors.New("SDKAppID, identifier and key are needed to sign")
	}
	seconds := int((life + time.Second - 1) / time.Second)
	return tencentyun.GenUserSig(id, t.Key.Reveal(), t.Identifier, seconds)
}

func (x *exchange) path() string { return x.reply.Call.Path() }

// query keeps Tencent's order. A UserSig is made of characters that need no escaping.
func (x *exchange) query(sig string) string {
	return "sdkappid=" + strconv.FormatInt(x.target.SDKAppID, 10) +
		"&identifier=" + url.QueryEscape(x.target.Identifier) +
		"&usersig=" + sig +
		"&random=" + strconv.FormatUint(uint64(x.reply.Random), 10) +
		"&contenttype=json"
}

// describe gives the request as people may see it.
func (x *exchange) describe(body []byte) string {
	masked, _ := x.masker.mask(body, len(body)*len(removed)) // what takes a secret's place can be longer
	return "POST " + x.path() + "?" + x.query(removed) + "\n\n" + string(masked)
}

func (x *exchange) send(ctx context.Context, sig string, body []byte) {
	a := &attempt{ctx: ctx}
	request, err := x.request(httptrace.WithClientTrace(ctx, a.trace()), sig, body)
	if err != nil {
		x.reply.Fault = FaultRequest
		return
	}
	answer, err := x.client.http.Do(request)
	if err != nil {
		x.lost(a, err)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	x.headers(answer)
	raw, err := readBody(answer)
	if !a.finish() {
		// An answer to nothing: the write failed after the other side had already spoken.
		x.reply.Fault = FaultShape
		return
	}
	x.judge(answer, raw)
	if err != nil {
		x.reply.Ending, x.reply.Fault, x.response = Unknown, brokenFault(a, err), nil
	}
}

// request is built over a byte slice in memory: the transport then writes headers and body together, and may
// take another connection when nothing was written on the first.
func (x *exchange) request(ctx context.Context, sig string, body []byte) (*http.Request, error) {
	address := x.target.Region.BaseURL + x.path() + "?" + x.query(sig)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s := request.URL.Scheme; (s != "http" && s != "https") || request.URL.Host == "" {
		return nil, errors.New("the region has no usable address")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "callboard")
	return request, nil
}

// lost fills the reply of a call that got no answer.
func (x *exchange) lost(a *attempt, err error) {
	if !a.finish() {
		x.reply.Ending, x.reply.Fault = NotSent, a.unsentFault()
		return
	}
	x.reply.Ending, x.reply.Fault = Unknown, brokenFault(a, err)
}

var errTooLarge = errors.New("the answer is too large")

// brokenFault says what is wrong with an answer that could not be read to its end.
func brokenFault(a *attempt, err error) Fault {
	switch {
	case errors.Is(err, errTooLarge):
		return FaultTooLarge
	case a.ctx.Err() != nil:
		return FaultTimeout
	case a.wasCut():
		return FaultCut
	}
	return FaultShape
}

func (x *exchange) headers(answer *http.Response) {
	x.reply.HTTPStatus = answer.StatusCode
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err == nil {
		x.reply.HasDate = true
		x.reply.ClockAhead = x.client.options.Now().Sub(date)
	}
}

// readBody reads at most readLimit. After 101 there is no body but a stream without end, which nobody asked for.
func readBody(answer *http.Response) ([]byte, error) {
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, readLimit+1))
	if err == nil && len(raw) > readLimit {
		err = errTooLarge
	}
	return raw, err
}

// judge fills the reply from what was read.
func (x *exchange) judge(answer *http.Response, raw []byte) {
	ending, fault, e := decide(answer.StatusCode, raw)
	x.reply.Ending, x.reply.Fault = ending, fault
	if ending == Accepted {
		x.response = e.response
	}
	for _, token := range e.tokens[:min(len(e.tokens), tokenLimit)] {
		x.masker.add(beginning(token, tokenLength))
	}
	x.reply.ActionStatus = x.masker.text(e.actionStatus, 64)
	x.reply.ErrorInfo = x.masker.text(e.errorInfo, 8<<10)
	x.reply.RequestID = x.masker.text(e.requestID, 512)
	x.reply.ErrorCode, x.reply.HasCode = e.code, e.hasCode
	x.keepAnswer(answer, raw, e.tokens)
}

// keepAnswer keeps the answer for people, unless secrets could hide in it: in a coded body, or behind more or
// longer tokens than are looked for.
func (x *exchange) keepAnswer(answer *http.Response, raw []byte, tokens []string) {
	x.reply.AnswerSize = len(raw)
	encoding := answer.Header.Get("Content-Encoding")
	if (encoding != "" && encoding != "identity") || len(tokens) > tokenLimit || slices.ContainsFunc(tokens, tooLong) {
		x.reply.AnswerCut = len(raw) > 0
		return
	}
	x.reply.Answer, x.reply.AnswerCut = x.masker.mask(raw, keepLimit)
}

// tooLong tells whether a text under Token is longer than any token is.
func tooLong(token string) bool { return beginning(token, tokenLength) != token }

// beginning is at most n characters of a text.
func beginning(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
