// Package tencent is the client for the seven live_config calls of Tencent RTC Live, and the facts about them:
// hosts, commands and error codes. A call is sent once, and its Reply says how it ended: accepted, refused,
// unknown or not sent. A write is never repeated. No prose and no policy lives here.
package tencent

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"
)

// Call names one of the seven calls; it is also the last part of the path.
type Call string

// The calls, with their Tencent document numbers.
const (
	CallSetCallback    Call = "set_callback"          // 647/64420
	CallGetCallback    Call = "get_callback"          // 647/64418
	CallUpdateCallback Call = "update_callback"       // 647/64419
	CallDeleteCallback Call = "delete_callback"       // 647/64421
	CallSetToken       Call = "set_callback_token"    // 647/69528
	CallGetToken       Call = "get_callback_token"    // 647/69529
	CallDeleteToken    Call = "delete_callback_token" // 647/69530
)

// Calls gives all seven calls.
func Calls() []Call {
	return []Call{CallSetCallback, CallGetCallback, CallUpdateCallback, CallDeleteCallback, CallSetToken, CallGetToken, CallDeleteToken}
}

// Path is where the call goes on every host.
func (c Call) Path() string { return "/v4/live_config/" + string(c) }

// Body is what a call about a callback sends, for people to read before it is sent.
func (c Call) Body(cb Callback) ([]byte, error) {
	if c == CallSetCallback || c == CallUpdateCallback {
		return encode(callbackBody(cb))
	}
	return encode(struct{}{})
}

// Target says which app a call is for, where its data lives and who signs.
type Target struct {
	Region     Region
	SDKAppID   int64
	Identifier string // an app administrator's account
	Key        Secret // the app's secret key
}

// Callback is the configuration of an app: one address and the command words that are sent to it.
// Words are sent and given back byte for byte and in order.
type Callback struct {
	URL      string
	Commands []string
}

// Token is the app's token for signing deliveries.
type Token struct {
	Value   Secret
	Enabled bool
}

// TokenChange says what to change about the token; nil leaves a part as it is (647/69528).
// The first set-up of an app needs both.
type TokenChange struct {
	Value   *Secret
	Enabled *bool
}

// Ending says how a call ended.
type Ending string

// The four endings.
const (
	Accepted Ending = "accepted" // Tencent said OK, beyond doubt
	Refused  Ending = "refused"  // Tencent said no, and with a code that means not done
	Unknown  Ending = "unknown"  // we cannot tell
	NotSent  Ending = "not_sent" // not a single byte of the request was written
)

// Fault says what went wrong on the way, and is empty when a proper answer came.
type Fault string

// The faults.
const (
	FaultConnect  Fault = "connect"   // no connection, or it died before the first byte
	FaultTimeout  Fault = "timeout"   // something was written, then the deadline passed or the caller gave up
	FaultCut      Fault = "cut"       // the connection ended before a whole answer
	FaultStatus   Fault = "status"    // the HTTP status is not 200
	FaultShape    Fault = "shape"     // the answer is not the documented JSON
	FaultTooLarge Fault = "too_large" // the answer is larger than 1 MiB
	FaultSign     Fault = "sign"      // the request could not be signed
	FaultLimited  Fault = "limited"   // our own rate limit had no slot in time
	FaultLate     Fault = "late"      // the deadline had passed before the first byte
	FaultRequest  Fault = "request"   // the request could not be built: a text that is not UTF-8, or no usable address
)

// HeldBack tells whether this program itself kept the call from leaving, of which Tencent and its host know nothing.
func (f Fault) HeldBack() bool {
	return f == FaultSign || f == FaultLimited || f == FaultLate || f == FaultRequest
}

// Faults gives every fault except the empty one.
func Faults() []Fault {
	return []Fault{FaultConnect, FaultTimeout, FaultCut, FaultStatus, FaultShape, FaultTooLarge, FaultSign, FaultLimited, FaultLate, FaultRequest}
}

// Reply is everything a call left behind. It holds no secret: UserSig, key and token are masked everywhere.
type Reply struct {
	Call   Call
	Host   string
	Random uint32

	Ending Ending
	Fault  Fault

	HTTPStatus   int    // 0: no answer
	ActionStatus string // as sent, at most 64 bytes; the texts below are also filled from an odd answer where they can be found
	ErrorCode    int64  // means something only with HasCode
	HasCode      bool   // the answer had exactly one integer ErrorCode
	ErrorInfo    string // as sent, at most 8 KiB
	RequestID    string // as sent, at most 512 bytes; empty: none came

	StartedAt time.Time
	Duration  time.Duration

	Request    string // method, path, query and body; usersig and token are "[removed]"
	Answer     []byte // the body, masked first and then cut to 64 KiB; empty when it came encoded
	AnswerSize int    // bytes read, at most 1 MiB and one byte
	AnswerCut  bool   // Answer holds less than was read

	ClockAhead time.Duration // our clock minus the answer's Date header, with HasDate
	HasDate    bool
}

// Accepted says whether Tencent accepted the call beyond doubt.
func (r Reply) Accepted() bool { return r.Ending == Accepted }

// Options are the settings of a Client. The zero value is right for Tencent.
type Options struct {
	HTTPTimeout   time.Duration    // for one call from start to end, waiting for a slot included; default 10 s (Tencent's own limit is 3 s)
	RatePerSecond float64          // calls a second for each of the seven calls; default 150 (Tencent allows 200)
	Burst         int              // calls at once for each of the seven calls; default 20
	Proxy         *url.URL         // http or https proxy that all calls tunnel through with CONNECT; nil: none
	Now           func() time.Time // for times in replies; signatures and deadlines use the machine's clock
	RootCAs       *x509.CertPool   // nil: the system's
	SigLife       time.Duration    // how long a UserSig is valid; default 10 min
	IdleTimeout   time.Duration    // how long an unused connection is kept; default 30 s
}

func (o Options) withDefaults() Options {
	if o.HTTPTimeout <= 0 {
		o.HTTPTimeout = 10 * time.Second
	}
	if o.RatePerSecond <= 0 {
		o.RatePerSecond = 150
	}
	if o.Burst <= 0 {
		o.Burst = 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SigLife <= 0 {
		o.SigLife = 10 * time.Minute
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 30 * time.Second
	}
	return o
}

// Client makes calls. It is safe for use by many goroutines; make one per process and close it at the end.
type Client struct {
	options   Options
	http      *http.Client
	transport *http.Transport
	limits    map[Call]*rate.Limiter
}

// New gives a Client with its own connections.
func New(o Options) *Client {
	o = o.withDefaults()
	transport := newTransport(o)
	limits := map[Call]*rate.Limiter{}
	for _, call := range Calls() {
		limits[call] = rate.NewLimiter(rate.Limit(o.RatePerSecond), o.Burst)
	}
	return &Client{
		options:   o,
		transport: transport,
		limits:    limits,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the idle connections. Calls under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// GetCallback reads the app's configuration (647/64418). The Callback means something only when the Reply is
// accepted; code 100301 says that there is none.
func (c *Client) GetCallback(ctx context.Context, t Target, random uint32) (Callback, Reply) {
	reply, response := c.call(ctx, CallGetCallback, t, random, empty{}, "")
	if !reply.Accepted() {
		return Callback{}, reply
	}
	callback, ok := readCallback(response)
	if !ok {
		return Callback{}, reply.doubtful()
	}
	return callback, reply
}

// SetCallback creates the app's configuration (647/64420). Code 100300 says that there is one already.
func (c *Client) SetCallback(ctx context.Context, t Target, random uint32, cb Callback) Reply {
	reply, _ := c.call(ctx, CallSetCallback, t, random, callbackBody(cb), "")
	return reply
}

// UpdateCallback changes the app's configuration (647/64419). Code 100301 says that there is none.
func (c *Client) UpdateCallback(ctx context.Context, t Target, random uint32, cb Callback) Reply {
	reply, _ := c.call(ctx, CallUpdateCallback, t, random, callbackBody(cb), "")
	return reply
}

// DeleteCallback removes the app's configuration (647/64421).
func (c *Client) DeleteCallback(ctx context.Context, t Target, random uint32) Reply {
	reply, _ := c.call(ctx, CallDeleteCallback, t, random, empty{}, "")
	return reply
}

// SetToken creates or changes the app's token (647/69528). Its length is 1 to 128; this is not checked here.
func (c *Client) SetToken(ctx context.Context, t Target, random uint32, change TokenChange) Reply {
	body := tokenBody{IsTokenEnable: change.Enabled}
	token := Secret("")
	if change.Value != nil {
		token = *change.Value
		text := token.Reveal()
		body.Token = &text
	}
	reply, _ := c.call(ctx, CallSetToken, t, random, body, token)
	return reply
}

// GetToken reads the app's token (647/69529), which Tencent sends in clear. The Token means something only when
// the Reply is accepted; code 100302 says that there is none.
func (c *Client) GetToken(ctx context.Context, t Target, random uint32) (Token, Reply) {
	reply, response := c.call(ctx, CallGetToken, t, random, empty{}, "")
	if !reply.Accepted() {
		return Token{}, reply
	}
	token, ok := readToken(response)
	if !ok {
		return Token{}, reply.doubtful()
	}
	return token, reply
}

// DeleteToken removes the app's token (647/69530).
func (c *Client) DeleteToken(ctx context.Context, t Target, random uint32) Reply {
	reply, _ := c.call(ctx, CallDeleteToken, t, random, empty{}, "")
	return reply
}

// doubtful is the reply of a read whose envelope was right and whose content was not.
func (r Reply) doubtful() Reply {
	r.Ending, r.Fault = Unknown, FaultShape
	return r
}

// empty is the body of the calls that have nothing to say; Tencent wants {} there, never nothing (647/63398).
type empty struct{}

type callbackJSON struct {
	URL                 string `json:"Url"`
	CallbackCommandList []string
}

// callbackBody makes sure that an empty list is sent as [] and not as null.
func callbackBody(cb Callback) callbackJSON {
	return callbackJSON{URL: cb.URL, CallbackCommandList: append([]string{}, cb.Commands...)}
}

type tokenBody struct {
	Token         *string `json:",omitempty"`
	IsTokenEnable *bool   `json:",omitempty"`
}
