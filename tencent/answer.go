package tencent

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// envelope is what an answer says beside its Response (647/63398).
type envelope struct {
	proper       bool // the documented shape, nothing doubled, nothing of another type
	actionStatus string
	code         int64
	hasCode      bool
	errorInfo    string
	requestID    string
	response     json.RawMessage
	tokens       []string // every text under a member called Token, at any depth
}

// decide says how a call ended whose whole answer was read.
func decide(status int, body []byte) (Ending, Fault, envelope) {
	e := readEnvelope(body)
	if status != 200 {
		return Unknown, FaultStatus, e
	}
	if !e.proper {
		return Unknown, FaultShape, e
	}
	switch {
	case e.actionStatus == "OK" && e.code == 0:
		return Accepted, "", e
	case e.actionStatus == "FAIL" && e.code != 0 && mayBeDone(e.code):
		return Unknown, "", e
	case e.actionStatus == "FAIL" && e.code != 0:
		return Refused, "", e
	}
	return Unknown, FaultShape, e
}

// mayBeDone says whether the work may have been done although the answer is FAIL with this code.
// A code that is not in the catalogue is taken for a refusal.
func mayBeDone(code int64) bool {
	known, ok := ExplainCode(code)
	return ok && !known.NotDone
}

type member struct {
	name  string
	value json.RawMessage
}

// members gives the members of the object that body begins with, in order and with doubles, as far as they can be
// read, and whether body is exactly one JSON object in UTF-8.
func members(body []byte) ([]member, bool) {
	whole := utf8.Valid(body) && json.Valid(body)
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	var found []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return found, false
		}
		text, ok := name.(string)
		if !ok {
			return found, false
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return found, false
		}
		found = append(found, member{text, value})
	}
	return found, whole
}

func readEnvelope(body []byte) envelope {
	all, whole := members(body)
	status, statusOK := textOf(pick(all, "ActionStatus"))
	code, codeOK := integerOf(pick(all, "ErrorCode"))
	info, infoOK := textOf(pick(all, "ErrorInfo"))
	id, idOK := textOf(pick(all, "RequestId"))
	e := envelope{actionStatus: status, code: code, hasCode: codeOK, errorInfo: info, requestID: id}
	e.response = pick(all, "Response")
	e.proper = whole && statusOK && codeOK &&
		exactlyOne(all, "ActionStatus") && exactlyOne(all, "ErrorCode") &&
		(infoOK || count(all, "ErrorInfo") == 0) && (idOK || count(all, "RequestId") == 0) &&
		atMostOne(all, "ErrorInfo") && atMostOne(all, "RequestId") && atMostOne(all, "Response")
	if whole {
		e.tokens = tokensIn(body)
	}
	return e
}

// pick gives the first member of exactly that name, else the first in another case, else nil.
func pick(all []member, name string) json.RawMessage {
	var other json.RawMessage
	for _, m := range all {
		if m.name == name {
			return m.value
		}
		if other == nil && strings.EqualFold(m.name, name) {
			other = m.value
		}
	}
	return other
}

// count counts the members of that name in any case.
func count(all []member, name string) int {
	n := 0
	for _, m := range all {
		if strings.EqualFold(m.name, name) {
			n++
		}
	}
	return n
}

func atMostOne(all []member, name string) bool { return count(all, name) <= 1 }

func exactlyOne(all []member, name string) bool {
	if count(all, name) != 1 {
		return false
	}
	for _, m := range all {
		if m.name == name {
			return true
		}
	}
	return false
}

func textOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", false
	}
	return text, true
}

// integerOf takes plain integers only: no fraction, no exponent, no quotes, no minus zero.
func integerOf(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(raw) {
		return 0, false
	}
	return n, true
}

// readCallback reads the Response of get_callback (647/64418).
func readCallback(response json.RawMessage) (Callback, bool) {
	all, whole := members(response)
	if !whole || !exactlyOne(all, "Url") || !exactlyOne(all, "CallbackCommandList") {
		return Callback{}, false
	}
	address, ok := exactText(pick(all, "Url"))
	if !ok {
		return Callback{}, false
	}
	words, ok := textsOf(pick(all, "CallbackCommandList"))
	return Callback{URL: address, Commands: words}, ok
}

// readToken reads the Response of get_callback_token (647/69529).
func readToken(response json.RawMessage) (Token, bool) {
	all, whole := members(response)
	if !whole || !exactlyOne(all, "Token") || !exactlyOne(all, "IsTokenEnable") {
		return Token{}, false
	}
	value, ok := exactText(pick(all, "Token"))
	enabled := string(pick(all, "IsTokenEnable"))
	if !ok || (enabled != "true" && enabled != "false") {
		return Token{}, false
	}
	return Token{Value: Secret(value), Enabled: enabled == "true"}, true
}

// Bounds of a list of command words. Tencent documents 20 words of at most 43 bytes and no limit; far more is no list of
// theirs, and every page about the app would carry it.
const (
	wordsLimit = 500
	wordLength = 256
)

func textsOf(raw json.RawMessage) ([]string, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) > wordsLimit {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, item := range list {
		text, ok := exactText(item)
		if !ok || len(text) > wordLength {
			return nil, false
		}
		texts[i] = text
	}
	return texts, true
}

// exactText refuses half a surrogate pair, which Go would turn into another character: the text could then not be
// sent back as it was.
func exactText(raw json.RawMessage) (string, bool) {
	text, ok := textOf(raw)
	return text, ok && wholePairs(raw)
}

// wholePairs walks the escapes of a JSON text and tells whether every surrogate has its other half.
func wholePairs(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the escaped character is looked at, never taken for the begin of another escape
		if i >= len(raw) || raw[i] != 'u' {
			continue
		}
		first, ok := escapedUnit(raw, i)
		if !ok {
			return false
		}
		i += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, ok := rune(0), i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u'
		if ok {
			second, ok = escapedUnit(raw, i+2)
		}
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return false
		}
		i += 6
	}
	return true
}

// escapedUnit reads the four hex digits behind the u at i.
func escapedUnit(raw []byte, i int) (rune, bool) {
	if i+5 > len(raw) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16)
	return rune(n), err == nil
}

// level is one object or array that the walk is inside of.
type level struct {
	object bool
	named  bool // in an object: the name was read, its value comes next
	token  bool // in an object: that name is Token
	secret bool // all of it stands under a member called Token
}

// tokensIn collects every text under a member called Token, in any case and at any depth. It walks the text in
// one go, so that doubled names all count and depth costs nothing.
func tokensIn(body []byte) []string {
	var found []string
	var open []level
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		next, err := decoder.Token()
		if err != nil {
			return found
		}
		switch v := next.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				open = append(open, level{object: v == '{', secret: inSecret(open)})
				continue
			}
			open = open[:len(open)-1]
		case string:
			if awaitsName(open) {
				top := &open[len(open)-1]
				top.named, top.token = true, strings.EqualFold(v, "Token")
				continue
			}
			if inSecret(open) {
				found = append(found, v)
			}
		}
		if len(open) > 0 {
			open[len(open)-1].named = false
		}
	}
}

func awaitsName(open []level) bool {
	return len(open) > 0 && open[len(open)-1].object && !open[len(open)-1].named
}

func inSecret(open []level) bool {
	if len(open) == 0 {
		return false
	}
	top := open[len(open)-1]
	return top.secret || (top.named && top.token)
}
