package tencent

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// newTransport gives a transport that speaks HTTP/1.1 only, so that a connection carries one request at a time,
// and whose connections count what is written.
func newTransport(o Options) *http.Transport {
	d := &dialer{options: o}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        o.IdleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		// One write for a usual request: headers and body go out together or not at all.
		WriteBufferSize: 64 << 10,
	}
}

type dialer struct {
	options Options
}

func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.options.HTTPTimeout)
	defer cancel()
	conn, err := d.reach(ctx, network, address)
	if err != nil {
		return nil, err
	}
	below := &counted{Conn: conn}
	return &wire{Conn: below, below: below}, nil
}

func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.options.HTTPTimeout)
	defer cancel()
	conn, err := d.reach(ctx, network, address)
	if err != nil {
		return nil, err
	}
	below := &counted{Conn: conn}
	sealed, err := d.handshake(ctx, below, address)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: sealed, below: below}, nil
}

// reach gives a connection to address, through the proxy if there is one.
func (d *dialer) reach(ctx context.Context, network, address string) (net.Conn, error) {
	proxy := d.options.Proxy
	if proxy == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	conn, err := d.reachProxy(ctx, network, proxy)
	if err != nil {
		return nil, err
	}
	if err := tunnel(ctx, conn, proxy, address); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (d *dialer) reachProxy(ctx context.Context, network string, proxy *url.URL) (net.Conn, error) {
	port := map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	if port == "" {
		return nil, errors.New("the proxy must be http or https")
	}
	if proxy.Port() != "" {
		port = proxy.Port()
	}
	address := net.JoinHostPort(proxy.Hostname(), port)
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || proxy.Scheme == "http" {
		return conn, err
	}
	return d.handshake(ctx, conn, address)
}

// handshake closes conn when it fails.
func (d *dialer) handshake(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	sealed := tls.Client(conn, &tls.Config{
		ServerName: host,
		RootCAs:    d.options.RootCAs,
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
	})
	if err := sealed.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return sealed, nil
}

// tunnel asks the proxy for a connection to address. The request itself never reaches the proxy in clear, which
// matters because the UserSig is in its query.
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	connect := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		pair := user.Username() + ":" + password
		connect.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	if err := connect.Write(conn); err != nil {
		return err
	}
	reader := bufio.NewReader(io.LimitReader(conn, 64<<10))
	// Read as the answer to HEAD: what follows the headers is the tunnel, not a body.
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodHead})
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || reader.Buffered() > 0 {
		return fmt.Errorf("the proxy answered the tunnel request with status %d", answer.StatusCode)
	}
	if !stop() {
		return ctx.Err()
	}
	return nil
}
