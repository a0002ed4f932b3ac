package handlers

import "testing"

func TestPlainName(t *testing.T) {
	for name, want := range map[string]bool{
		"lena": true, "李雷": true, "ユーザー": true, "さくら": true, "zoë": true, "a.b-c@d+1": true,
		"mei\u034f": false, "mei\ufe0f": false, "李\U000e0100": false, "\u3164": false, "мei": false,
	} {
		if got := plainName(name); got != want {
			t.Errorf("%+q: %t, want %t", name, got, want)
		}
	}
}
