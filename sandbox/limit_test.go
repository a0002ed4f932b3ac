package sandbox

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	type burst struct {
		move     time.Duration
		command  string
		times    int
		admitted int
	}
	cases := []struct {
		name   string
		rate   int
		bursts []burst
	}{
		{"documented rate", 0, []burst{{0, "get_callback", 205, 200}}},
		{"chosen rate", 3, []burst{
			{0, "get_callback", 2, 2},
			{900 * time.Millisecond, "get_callback", 3, 1},
			{0, "get_callback_token", 4, 3},
			{99 * time.Millisecond, "get_callback", 1, 0},
			{time.Millisecond, "get_callback", 3, 2},
			{900 * time.Millisecond, "get_callback", 2, 1},
			{time.Hour, "get_callback", 5, 3},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			now := &clock{now: day}
			s := startServer(t, Options{RatePerSecond: c.rate, Now: now.Now})
			client := newClient(t)
			for i, b := range c.bursts {
				now.move(b.move)
				admitted := 0
				for range b.times {
					if got := post(t, s, client, b.command, "{}"); got.code() != 60007 {
						admitted++
					}
				}
				if admitted != b.admitted {
					t.Errorf("burst %d: %d admitted, want %d", i, admitted, b.admitted)
				}
			}
		})
	}
}
