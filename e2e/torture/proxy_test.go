package torture_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// side says where the proxy ends the connection of a call.
type side int

// Sides.
const (
	whole     side = iota // nowhere
	inRequest             // after n bytes of the request
	unheard               // after the whole request, before the answer
	inAnswer              // after n bytes of the answer
)

// cut is what happens to one call; n is taken modulo the length of what it cuts.
type cut struct {
	where side
	n     int
}

// relay listens on loopback and hands its connections on; it can be down, as a server can.
type relay struct {
	t       *testing.T
	address string // its own, the same for its whole life
	serve   func(net.Conn)

	mu       sync.Mutex
	listener net.Listener // nil while it is down
	conns    map[net.Conn]bool
	silence  chan struct{} // not nil while it is silent, closed when that ends
	running  sync.WaitGroup
}

func newRelay(t *testing.T) *relay {
	return &relay{t: t, address: "127.0.0.1:0", conns: map[net.Conn]bool{}}
}

// up listens, at the same address as before.
func (r *relay) up() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.address = l, l.Addr().String()
	r.mu.Unlock()
	r.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.hold(conn)
			r.running.Go(func() {
				defer r.release(conn)
				r.serve(conn)
			})
		}
	})
}

// down refuses connections and ends those that are open.
func (r *relay) down() {
	r.speak()
	r.mu.Lock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// silent takes what comes and passes nothing on, until speak or down.
func (r *relay) silent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silence = make(chan struct{})
}

// speak passes on again, what was held back first.
func (r *relay) speak() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silence != nil {
		close(r.silence)
		r.silence = nil
	}
}

// listen returns at once, or when the silence is over.
func (r *relay) listen() {
	r.mu.Lock()
	silence := r.silence
	r.mu.Unlock()
	if silence != nil {
		<-silence
	}
}

func (r *relay) hold(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener == nil {
		_ = conn.Close() // it came in while the relay went down
	}
	r.conns[conn] = true
}

func (r *relay) release(conn net.Conn) {
	_ = conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

// proxy stands between console and sandbox. It takes each request whole before it passes any of it on.
type proxy struct {
	*relay

	mu     sync.Mutex
	target string
	cuts   map[int64]cut // for the next writing call of an app
	reads  int           // reading calls so far
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{relay: newRelay(t), cuts: map[int64]cut{}}
	p.answeredBy(target)
	p.serve = func(conn net.Conn) {
		for p.pass(conn) == nil {
		}
	}
	p.up()
	t.Cleanup(p.down)
	return p
}

func (p *proxy) url() string { return "http://" + p.address }

// answeredBy passes what comes from now on to another server.
func (p *proxy) answeredBy(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = strings.TrimPrefix(target, "http://")
}

// asked is how many reading calls have come.
func (p *proxy) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads
}

// cutNext ends the connection of the app's next writing call.
func (p *proxy) cutNext(app int64, c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts[app] = c
}

// clearCuts forgets what has not happened.
func (p *proxy) clearCuts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.cuts)
}

var errCut = errors.New("cut as asked")

// pass carries one request and its answer.
func (p *proxy) pass(conn net.Conn) error {
	var sent bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &sent)))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return err
	}
	p.listen()
	c, target := p.take(request)
	above, err := net.Dial("tcp", target)
	if err != nil {
		return err
	}
	p.hold(above)
	defer p.release(above)
	if c.where == inRequest {
		_, err := above.Write(sent.Bytes()[:c.n%sent.Len()])
		return errors.Join(err, errCut)
	}
	if _, err := above.Write(sent.Bytes()); err != nil {
		return err
	}
	if c.where == unheard {
		_ = conn.Close()
	}
	var answered bytes.Buffer
	answer, err := http.ReadResponse(bufio.NewReader(io.TeeReader(above, &answered)), request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if c.where == inAnswer {
		_, err := conn.Write(answered.Bytes()[:c.n%answered.Len()])
		return errors.Join(err, errCut)
	}
	_, err = conn.Write(answered.Bytes())
	return err
}

// take gives the cut of a writing call and where calls go, and counts reads.
func (p *proxy) take(r *http.Request) (c cut, target string) {
	app, _ := strconv.ParseInt(r.URL.Query().Get("sdkappid"), 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/get_callback") {
		p.reads++
		return cut{}, p.target
	}
	c = p.cuts[app]
	delete(p.cuts, app)
	return c, p.target
}

// server stands between the store and a PostgreSQL server, and can lose one statement.
type server struct {
	*relay
	target string
	left   atomic.Int64 // statements until one is lost; below 1: none
	done   atomic.Bool  // whether that statement is carried out before its answer is lost
}

func newServer(t *testing.T, target string) *server {
	t.Helper()
	s := &server{relay: newRelay(t), target: target}
	s.serve = s.pass
	s.up()
	t.Cleanup(s.down)
	return s
}

// pass carries one connection, message by message from the client.
func (s *server) pass(conn net.Conn) {
	above, err := net.Dial("tcp", s.target)
	if err != nil {
		return
	}
	s.hold(above)
	defer s.release(above)
	lost := new(atomic.Bool)
	s.running.Go(func() {
		defer s.release(conn)
		answers := make([]byte, 64<<10)
		for {
			n, err := above.Read(answers)
			if err != nil || lost.Load() {
				return
			}
			if _, err := conn.Write(answers[:n]); err != nil {
				return
			}
		}
	})
	for kind := 0; ; kind = 1 { // the first message has no type
		head := make([]byte, kind+4)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		message := make([]byte, kind+int(binary.BigEndian.Uint32(head[kind:])))
		copy(message, head)
		if _, err := io.ReadFull(conn, message[len(head):]); err != nil {
			return
		}
		if statement := kind == 1 && (head[0] == 'E' || head[0] == 'Q'); statement && s.left.Add(-1) == 0 {
			if !s.done.Load() {
				return
			}
			lost.Store(true)
		}
		s.listen()
		if _, err := above.Write(message); err != nil {
			return
		}
	}
}
