package sandbox

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

const (
	userSigLimit     = 4 << 10  // as sent
	userSigTextLimit = 16 << 10 // once inflated
	failuresAllowed  = 30       // failed signatures of one app within failureSpan
	failureSpan      = time.Minute
)

// signatureFailures are an app's failed checks of late, or the time until which all of its calls get 70050.
type signatureFailures struct {
	times   []time.Time
	blocked time.Time
}

// claims are the parts of a UserSig that have to be readable before Tencent's verifier gets it: it takes a JSON fault
// for a wrong SDKAppID, and inflates without a limit.
type claims struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	SDKAppID   uint64 `json:"TLS.sdkappid"`
	Expire     int64  `json:"TLS.expire"`
	Time       int64  `json:"TLS.time"`
	UserBuf    []byte `json:"TLS.userbuf"`
	Sig        []byte `json:"TLS.sig"`
}

func (s *Server) checkSignature(c *call) *refusal {
	if s.blocked(c) {
		return refuse(70050, "too many failed UserSig checks; try again in a minute")
	}
	refused := verify(c)
	if refused != nil {
		s.countFailure(c)
	}
	return refused
}

func (s *Server) blocked(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.at.Before(s.failures[c.sdkappid].blocked)
}

func (s *Server) countFailure(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.failures[c.sdkappid]
	f.times = append(within(f.times, c.at, failureSpan), c.at)
	if len(f.times) >= failuresAllowed {
		f = signatureFailures{blocked: c.at.Add(failureSpan)}
	}
	s.failures[c.sdkappid] = f
}

func verify(c *call) *refusal {
	usersig, identifier := c.query.Get("usersig"), c.query.Get("identifier")
	if usersig == "" {
		return refuse(70002, "UserSig is empty")
	}
	signed, err := readUserSig(usersig)
	if err != nil {
		return refuse(70003, "The UserSig in use is illegal: %s", err)
	}
	err = tencentyun.VerifyUserSig(uint64(c.sdkappid), c.app.Key, identifier, usersig, c.at)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tencentyun.ErrSdkAppIDNotMatch):
		return refuse(70014, "The requested SDKAppID(%d) does not match the Usersig(%d).", c.sdkappid, signed.SDKAppID)
	case errors.Is(err, tencentyun.ErrIdentifierNotMatch):
		return refuse(70013, "The requested UserID(%s) does not match the Usersig(%s).", identifier, signed.Identifier)
	case errors.Is(err, tencentyun.ErrExpired):
		return refuse(70001, "UserSig is expired")
	case errors.Is(err, tencentyun.ErrSigNotMatch),
		errors.Is(err, tencentyun.ErrUserBufTypeNotMatch),
		errors.Is(err, tencentyun.ErrUserBufNotMatch):
		return refuse(70009, "UserSig verification Failed.")
	}
	return refuse(70003, "The UserSig in use is illegal")
}

// userSigAlphabet is the substituted base64 of the documents; it is not RFC 4648's URL alphabet.
var userSigAlphabet = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-").WithPadding('_')

// readUserSig says in its errors what is wrong with the form, never what the signature holds.
func readUserSig(usersig string) (claims, error) {
	if len(usersig) > userSigLimit {
		return claims{}, errors.New("it is too long")
	}
	// The decoder passes over line ends.
	packed, err := userSigAlphabet.DecodeString(usersig)
	if err != nil || strings.ContainsAny(usersig, "\r\n") {
		return claims{}, errors.New("it is not base64 of the documented alphabet")
	}
	text, err := inflate(packed)
	if err != nil {
		return claims{}, err
	}
	var signed claims
	if err := json.Unmarshal(text, &signed); err != nil {
		return claims{}, errors.New("it holds no JSON of the documented form")
	}
	if signed.Version != "2.0" {
		return claims{}, errors.New("its version is not 2.0")
	}
	return signed, nil
}

func inflate(packed []byte) ([]byte, error) {
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errors.New("it is not compressed with zlib")
	}
	text, err := io.ReadAll(io.LimitReader(reader, userSigTextLimit+1))
	if err != nil {
		return nil, errors.New("its compressed content is broken")
	}
	if len(text) > userSigTextLimit {
		return nil, errors.New("its content is too large")
	}
	return text, nil
}
