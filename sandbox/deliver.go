package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Words whose deliveries differ from those of an ordinary after-event.
const (
	wordBeforeGift   = "Live.CallbackBeforeSendGift"
	wordNotBlock     = "Live.CallbackBeforeCallBackNotBlock"
	wordBeforeMsg    = "Group.CallbackBeforeSendMsg"
	wordChangeOwner  = "Live.CallbackAfterChangeOwner"
	wordModifyAdmin  = "Live.CallbackAfterModifyAdmin"
	answerLimit      = 64 << 10
	codeMsgRefused   = 10016
	deliveryPlatform = "RESTAPI"
)

// Delivery is what came of one callback sent to the app's own server.
type Delivery struct {
	URL         string        `json:"url"`          // the callback address, without the parameters that were appended
	Status      int           `json:"status"`       // HTTP status; 0 when there was no answer
	Body        string        `json:"body"`         // the answer's first 64 KiB
	ErrorCode   int64         `json:"error_code"`   // of the answer; 0 when it had none
	ErrorInfo   string        `json:"error_info"`   // of the answer
	Failure     string        `json:"failure"`      // why it counts as failed; "" for a success
	Effect      string        `json:"effect"`       // "ignored" for after-events, else "allowed", "refused" or "dropped" (sender sees success)
	ClientCode  int64         `json:"client_code"`  // the code the sending client gets for a refusal; 0 for none or an unknown one
	Elapsed     time.Duration `json:"-"`            // from sending to the whole answer
	RequestTime int64         `json:"request_time"` // Unix seconds that were signed; 0 without an enabled token
}

// reply is the contract of document 647/64412; pointers, as all three are mandatory.
type reply struct {
	ActionStatus *string `json:"ActionStatus"`
	ErrorCode    *int64  `json:"ErrorCode"`
	ErrorInfo    *string `json:"ErrorInfo"`
}

// Deliver sends one event to the app's callback address as document 647/64412 describes it, signed when the token is
// enabled, once, waiting 2 s at most. The body must be a JSON object; when it is empty, one with CallbackCommand and
// EventTime is sent. A receiver that does not answer as it must is a Failure in the Delivery. An error means that
// nothing was delivered: no address, the word is not in the app's list, or the target is not on loopback
// (ErrNotLoopback).
func (s *Server) Deliver(ctx context.Context, sdkappid int64, command string, body []byte) (Delivery, error) {
	s.mu.Lock()
	state, now := s.states[sdkappid], s.now()
	s.mu.Unlock()
	target, err := targetOf(state, command, now)
	if err != nil {
		return Delivery{}, fmt.Errorf("sandbox: deliver %s for app %d: %w", command, sdkappid, err)
	}
	body, err = eventBody(command, body, now)
	if err != nil {
		return Delivery{}, fmt.Errorf("sandbox: deliver %s for app %d: %w", command, sdkappid, err)
	}
	d := Delivery{URL: target}
	signed, requestTime := appendParameters(target, sdkappid, command, state.Token, now)
	d.RequestTime = requestTime
	if err := s.send(ctx, &d, signed, body); err != nil {
		return Delivery{}, fmt.Errorf("sandbox: deliver %s for app %d: %w", command, sdkappid, err)
	}
	d.judge(command, slices.Contains(state.Callback.CallbackCommandList, wordNotBlock))
	return d, nil
}

func targetOf(state appState, command string, now time.Time) (string, error) {
	switch {
	case state.Callback == nil:
		return "", errors.New("the app has no callback")
	case command == wordNotBlock:
		return "", errors.New("the word is a setting, nothing is delivered with it")
	case !slices.Contains(state.Callback.CallbackCommandList, command):
		return "", errors.New("the word is not in the app's list")
	}
	address := state.address(now)
	if address == "" {
		return "", errors.New("the callback has not taken effect yet")
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the callback address cannot be read")
	}
	if !loopbackHost(parsed.Hostname()) {
		return "", ErrNotLoopback
	}
	return address, nil
}

func eventBody(command string, body []byte, now time.Time) ([]byte, error) {
	if len(body) == 0 {
		return json.Marshal(map[string]any{"CallbackCommand": command, "EventTime": now.UnixMilli()})
	}
	members, err := parseFields(body)
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if _, sent := members.get("CallbackCommand"); !sent {
		return body, nil
	}
	if named := member[string](members, "CallbackCommand"); named == nil || *named != command {
		return nil, errors.New("the body names another CallbackCommand")
	}
	return body, nil
}

// appendParameters adds the parameters in the order of the documents' samples. How Tencent joins them to an address that
// has a query string is not documented; here they follow it.
func appendParameters(target string, sdkappid int64, command string, token *Token, now time.Time) (string, int64) {
	pairs := []string{"SdkAppid", strconv.FormatInt(sdkappid, 10), "CallbackCommand", command, "contenttype", "json"}
	if command != wordChangeOwner && command != wordModifyAdmin {
		pairs = append(pairs, "ClientIP", "127.0.0.1", "OptPlatform", deliveryPlatform)
	}
	var requestTime int64
	if token != nil && token.IsTokenEnable {
		requestTime = now.Unix()
		pairs = append(pairs, "Sign", sign(token.Token, requestTime), "RequestTime", strconv.FormatInt(requestTime, 10))
	}
	target, _, _ = strings.Cut(target, "#")
	joint := "?"
	if strings.Contains(target, "?") {
		joint = "&"
	}
	for i := 0; i < len(pairs); i += 2 {
		target += joint + pairs[i] + "=" + url.QueryEscape(pairs[i+1])
		joint = "&"
	}
	return target, requestTime
}

// sign is the plain hash of document 647/64412: no HMAC, and the body is not covered.
func sign(token string, requestTime int64) string {
	sum := sha256.Sum256([]byte(token + strconv.FormatInt(requestTime, 10)))
	return hex.EncodeToString(sum[:])
}

// send fills in the answer or the failure. Its error is a target outside, or the caller's own end.
func (s *Server) send(ctx context.Context, d *Delivery, target string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(string(body)))
	if err != nil {
		return errors.New("the callback address cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	started := time.Now()
	response, err := s.delivery.Do(request)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		d.Status = response.StatusCode
		var content []byte
		content, err = io.ReadAll(io.LimitReader(response.Body, answerLimit))
		d.Body = string(content)
	}
	d.Elapsed = time.Since(started)
	switch {
	case errors.Is(err, ErrNotLoopback):
		return ErrNotLoopback
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		d.Failure = failure(err)
	}
	return nil
}

// failure leaves out the address, which carries the signature.
func failure(err error) string {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return "no answer in time"
	}
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return "no answer: " + err.Error()
}

func (d *Delivery) judge(command string, notBlock bool) {
	if d.Failure == "" {
		d.readReply()
	}
	switch command {
	case wordBeforeGift:
		d.judgeGift(notBlock)
	case wordBeforeMsg:
		d.judgeMessage()
	default:
		d.Effect = "ignored"
	}
}

// readReply applies document 647/64412: HTTP 200 and a JSON object with all three fields, anything else is a failure.
func (d *Delivery) readReply() {
	var r reply
	switch {
	case d.Status != http.StatusOK:
		d.Failure = fmt.Sprintf("the status is %d, not 200", d.Status)
	case json.Unmarshal([]byte(d.Body), &r) != nil:
		d.Failure = "the answer is not the JSON object that is expected"
	case r.ActionStatus == nil || r.ErrorCode == nil || r.ErrorInfo == nil:
		d.Failure = "the answer lacks ActionStatus, ErrorCode or ErrorInfo"
	default:
		d.ErrorCode, d.ErrorInfo = *r.ErrorCode, *r.ErrorInfo
	}
}

// judgeGift follows 647/72210: a failure blocks the gift unless the setting word is in the list too.
func (d *Delivery) judgeGift(notBlock bool) {
	switch {
	case d.Failure == "" && d.ErrorCode == 0, d.Failure != "" && notBlock:
		d.Effect = "allowed"
	default:
		d.Effect = "refused"
	}
	if d.ErrorCode >= 102100 && d.ErrorCode <= 102200 {
		d.ClientCode = d.ErrorCode
	}
}

// judgeMessage follows 647/74347. A failure lets the message through (1047/34354), and so does an undocumented code.
func (d *Delivery) judgeMessage() {
	switch code := d.ErrorCode; {
	case d.Failure == "" && code == 1:
		d.Effect, d.ClientCode = "refused", codeMsgRefused
	case d.Failure == "" && code == 2:
		d.Effect = "dropped"
	case d.Failure == "" && code >= 10100 && code <= 10200:
		d.Effect, d.ClientCode = "refused", code
	case d.Failure == "" && code != 0:
		d.Effect, d.Failure = "allowed", fmt.Sprintf("code %d has no documented meaning", code)
	default:
		d.Effect = "allowed"
	}
}
