package tencent

import (
	"strings"
	"testing"
)

// BenchmarkMask is what a call spends on secrets: a key and a UserSig, and an answer of usual length.
func BenchmarkMask(b *testing.B) {
	key, sig := strings.Repeat("0123456789abcdef", 4), strings.Repeat("eJwtzEELgjAYxvHvsvOId-P4zUHX", 7)
	answer := []byte(`{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","RequestId":"Id-70b1f3a9c2","Response":{"CallbackUrl":"https://callback.example.com/live","CallbackCommandList":[` +
		strings.TrimSuffix(strings.Repeat(`"Live.CallbackAfterCreateRoom",`, 20), ",") + `]}}`)
	b.ReportAllocs()
	for b.Loop() {
		m := newMasker(key)
		m.add(sig)
		m.mask(answer, keepLimit)
	}
}
