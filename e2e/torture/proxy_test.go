package torture_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
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

// proxy stands between console and sandbox. It takes each request whole before it passes any of it on.
type proxy struct {
	t       *testing.T
	address string // its own, the same for its whole life
	target  string

	mu       sync.Mutex
	listener net.Listener // nil while the proxy is down
	conns    map[net.Conn]bool
	cuts     map[int64]cut // for the next writing call of an app
	reads    map[int64]int // calls by app since the last count
	running  sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{t: t, address: "127.0.0.1:0", target: strings.TrimPrefix(target, "http://"), conns: map[net.Conn]bool{}, cuts: map[int64]cut{}, reads: map[int64]int{}}
	p.up()
	t.Cleanup(p.down)
	return p
}

func (p *proxy) url() string { return "http://" + p.address }

// up listens, at the same address as before.
func (p *proxy) up() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener, p.address = l, l.Addr().String()
	p.mu.Unlock()
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.hold(conn)
			p.running.Go(func() { p.serve(conn) })
		}
	})
}

// down refuses connections and ends those that are open.
func (p *proxy) down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
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

func (p *proxy) hold(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		_ = conn.Close() // it came in while the proxy went down
	}
	p.conns[conn] = true
}

func (p *proxy) release(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

func (p *proxy) serve(conn net.Conn) {
	defer p.release(conn)
	for p.pass(conn) == nil {
	}
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
	c := p.take(request)
	above, err := net.Dial("tcp", p.target)
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

// take gives the cut of a writing call, and counts reads.
func (p *proxy) take(r *http.Request) cut {
	app, _ := strconv.ParseInt(r.URL.Query().Get("sdkappid"), 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/get_callback") {
		p.reads[app]++
		return cut{}
	}
	c := p.cuts[app]
	delete(p.cuts, app)
	return c
}
