package tencent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHalfPairsAreRefused(t *testing.T) {
	tests := []struct {
		raw  string
		want bool
	}{
		{`"plain"`, true},
		{`"\ud83d\ude00"`, true},
		{`"\uD83D\uDE00 and more"`, true},
		{`"\ud83d"`, false},
		{`"\ude00"`, false},
		{`"\ud83d\ud83d"`, false},
		{`"\ud83dx"`, false},
		{`"\\ud83d"`, true},
		{`"\\\ud83d"`, false},
		{`"A.\\ufffd\ud800"`, false},
		{`"\ufffd"`, true},
		{"\"\uFFFD\"", true},
		{`"\n\t\"\\"`, true},
	}
	for _, test := range tests {
		if _, got := exactText(json.RawMessage(test.raw)); got != test.want {
			t.Errorf("%s: %v, want %v", test.raw, got, test.want)
		}
	}
}

func TestListsOfWordsAreBounded(t *testing.T) {
	list := func(n, length int) json.RawMessage {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprintf("%0*d", length, i)
		}
		text, err := json.Marshal(words)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tests := []struct {
		n, length int
		want      bool
	}{{0, 1, true}, {20, 40, true}, {wordsLimit, 5, true}, {wordsLimit + 1, 5, false}, {1, wordLength, true}, {1, wordLength + 1, false}}
	for _, test := range tests {
		if texts, got := textsOf(list(test.n, test.length)); got != test.want || (got && len(texts) != test.n) {
			t.Errorf("%d words of %d bytes: %v with %d", test.n, test.length, got, len(texts))
		}
	}
}

func TestStretchesOfSecretsAreMasked(t *testing.T) {
	secret := "eJwtzMEKgkAUheF3mbUhd8aZO9quRRBEq4LcZRoxoaZpqRG9e7eWn*fA*7DTdu"
	m := newMasker(secret)
	tests := []struct{ text, want string }{
		{"a " + secret + " b", "a [removed] b"},
		{"a " + secret[10:40] + " b", "a [removed] b"},
		{"a " + secret[20:] + " b", "a [removed] b"},
		{"a " + secret[7:7+partFrom] + " b", "a [removed] b"},
		{"a " + secret[7:7+partFrom-1] + " b", "a " + secret[7:7+partFrom-1] + " b"},
		{"nothing of it", "nothing of it"},
	}
	for _, test := range tests {
		if got := m.text(test.text, 1000); got != test.want {
			t.Errorf("%q became %q, want %q", test.text, got, test.want)
		}
	}
}

// A text under Token that is longer than any token would take a masker's time without end; the answer is left out.
func TestLongTokensAreNotLookedFor(t *testing.T) {
	for _, test := range []struct {
		length int
		kept   bool
	}{{tokenLength, true}, {tokenLength + 1, false}, {300_000, false}} {
		token := strings.Repeat(`\`, test.length)
		body, err := json.Marshal(map[string]any{"ActionStatus": "FAIL", "ErrorCode": 60020, "ErrorInfo": "", "RequestId": "x", "Token": token, "y": token + token})
		if err != nil {
			t.Fatal(err)
		}
		x := &exchange{masker: newMasker()}
		x.judge(&http.Response{StatusCode: http.StatusOK}, body)
		if x.reply.Ending != Refused || x.reply.ErrorCode != 60020 || (len(x.reply.Answer) > 0) != test.kept || x.reply.AnswerCut == test.kept {
			t.Errorf("a token of %d: %s %d, %d bytes kept, cut %v", test.length, x.reply.Ending, x.reply.ErrorCode, len(x.reply.Answer), x.reply.AnswerCut)
		}
	}
}
