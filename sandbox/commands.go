package sandbox

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	urlLimit   = 2048 // bytes; the documents name no limit
	tokenLimit = 128  // 647/69528 in the reading of cn:647/118333
)

// command is one of the seven of the family. carryOut runs with Server.mu held and the checks passed; what it returns
// is not applied when the refusal is set.
type command struct {
	name     string
	fields   []string
	check    func(fields) *refusal
	carryOut func(*Server, *call, *appState) (outcome, *refusal)
}

var commands = []*command{
	{name: "set_callback", fields: []string{"Url", "CallbackCommandList"}, check: checkCallback, carryOut: setCallback},
	{name: "get_callback", carryOut: getCallback},
	{name: "update_callback", fields: []string{"Url", "CallbackCommandList"}, check: checkCallback, carryOut: updateCallback},
	{name: "delete_callback", carryOut: deleteCallback},
	{name: "set_callback_token", fields: []string{"Token", "IsTokenEnable"}, check: checkToken, carryOut: setToken},
	{name: "get_callback_token", carryOut: getToken},
	{name: "delete_callback_token", carryOut: deleteToken},
}

func commandNamed(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// carryOut needs s.mu. A change that could not be written is none, and answers 100001.
func (s *Server) carryOut(c *call) (outcome, *refusal) {
	old := s.states[c.sdkappid]
	state := old
	result, refused := c.command.carryOut(s, c, &state)
	if onCallback(c.name) {
		result.before, result.after = old.Callback, state.Callback
	}
	if refused != nil || !result.applied {
		return result, refused
	}
	if err := s.change(c.sdkappid, func(kept *appState) { *kept = state }); err != nil {
		s.states[c.sdkappid] = old
		return outcome{before: result.before, after: result.before}, refuse(100001, "internal server error: the state could not be written")
	}
	return result, nil
}

func onCallback(command string) bool { return !strings.HasSuffix(command, "_token") }

func setCallback(s *Server, c *call, state *appState) (outcome, *refusal) {
	if state.Callback != nil {
		return outcome{}, refuse(100300, "the callback configuration already exists; use update_callback")
	}
	s.replaceCallback(state, callbackOf(c.fields))
	return outcome{applied: true}, nil
}

func getCallback(_ *Server, _ *call, state *appState) (outcome, *refusal) {
	if state.Callback == nil {
		return outcome{}, refuse(100301, "the callback configuration does not exist; use set_callback")
	}
	return outcome{response: state.Callback}, nil
}

// updateCallback replaces the address and the whole list: nothing documented says otherwise, and nothing says so.
func updateCallback(s *Server, c *call, state *appState) (outcome, *refusal) {
	if state.Callback == nil {
		return outcome{}, refuse(100301, "the callback configuration does not exist; use set_callback")
	}
	s.replaceCallback(state, callbackOf(c.fields))
	return outcome{applied: true}, nil
}

func deleteCallback(s *Server, _ *call, state *appState) (outcome, *refusal) {
	if state.Callback == nil {
		return outcome{}, s.missing(100301, "the callback configuration does not exist")
	}
	s.replaceCallback(state, nil)
	return outcome{applied: true}, nil
}

// setToken changes only what was sent when there is a token already (647/69528).
func setToken(_ *Server, c *call, state *appState) (outcome, *refusal) {
	token, enable := member[string](c.fields, "Token"), member[bool](c.fields, "IsTokenEnable")
	if state.Token == nil && (token == nil || enable == nil) {
		return outcome{}, refuse(100002, "the first setup needs both Token and IsTokenEnable")
	}
	changed := Token{}
	if state.Token != nil {
		changed = *state.Token
	}
	if token != nil {
		changed.Token = *token
	}
	if enable != nil {
		changed.IsTokenEnable = *enable
	}
	state.Token = &changed
	return outcome{applied: true}, nil
}

func getToken(_ *Server, _ *call, state *appState) (outcome, *refusal) {
	if state.Token == nil {
		return outcome{}, refuse(100302, "the callback token configuration does not exist; use set_callback_token")
	}
	return outcome{response: state.Token}, nil
}

func deleteToken(s *Server, _ *call, state *appState) (outcome, *refusal) {
	if state.Token == nil {
		return outcome{}, s.missing(100302, "the callback token configuration does not exist")
	}
	state.Token = nil
	return outcome{applied: true}, nil
}

func (s *Server) missing(code int64, info string) *refusal {
	if s.options.DeleteMissing == "error" {
		return &refusal{code: code, info: info}
	}
	return nil
}

// checkCallback takes any text for a command word, an empty list, and doubles: the documents forbid none of them.
func checkCallback(f fields) *refusal {
	for _, name := range []string{"Url", "CallbackCommandList"} {
		if _, found := f.get(name); !found {
			return refuse(100002, "%s is missing", name)
		}
	}
	url := member[string](f, "Url")
	switch {
	case url == nil:
		return refuse(100002, "Url is not a string")
	case !strings.HasPrefix(*url, "http://") && !strings.HasPrefix(*url, "https://"):
		return refuse(100002, "Url does not begin with http:// or https://")
	case len(*url) > urlLimit:
		return refuse(100002, "Url is longer than %d bytes", urlLimit)
	}
	if words(f) == nil {
		return refuse(100002, "CallbackCommandList is not an array of strings")
	}
	return nil
}

func checkToken(f fields) *refusal {
	if len(f) == 0 {
		return refuse(100002, "neither Token nor IsTokenEnable is given")
	}
	token := member[string](f, "Token")
	if _, sent := f.get("Token"); sent && token == nil {
		return refuse(100002, "Token is not a string")
	}
	if token != nil && (*token == "" || len(*token) > tokenLimit) {
		return refuse(100002, "Token is not 1 to %d bytes long", tokenLimit)
	}
	if _, sent := f.get("IsTokenEnable"); sent && member[bool](f, "IsTokenEnable") == nil {
		return refuse(100002, "IsTokenEnable is neither true nor false")
	}
	return nil
}

func callbackOf(f fields) *Callback {
	return &Callback{Url: *member[string](f, "Url"), CallbackCommandList: words(f)}
}

// member is nil when the field is absent, null or of another type.
func member[T string | bool](f fields, name string) *T {
	raw, found := f.get(name)
	var value *T
	if !found || json.Unmarshal(raw, &value) != nil {
		return nil
	}
	return value
}

// words is nil when the list is no array of strings; null inside counts as no string.
func words(f fields) []string {
	raw, _ := f.get("CallbackCommandList")
	var sent []*string
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &sent) != nil {
		return nil
	}
	list := make([]string, 0, len(sent))
	for _, word := range sent {
		if word == nil {
			return nil
		}
		list = append(list, *word)
	}
	return list
}
