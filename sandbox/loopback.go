package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// ErrNotLoopback is in every error that refuses an address outside this machine.
var ErrNotLoopback = errors.New("not a loopback address")

// listenLoopback looks at the address before it listens, so that no port is open to others even for a moment.
func listenLoopback(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("sandbox: listen address: %w", err)
	}
	if !loopbackHost(host) {
		return nil, fmt.Errorf("sandbox: listen on %q: %w", address, ErrNotLoopback)
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return listener, nil
}

// loopbackHost takes no other name than localhost: looking one up would already ask somebody outside.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// loopbackClient follows no redirect and uses no proxy, and looks at every address once more when it is dialled.
func loopbackClient() *http.Client {
	dialer := &net.Dialer{Timeout: deliveryTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		return checkDial(address)
	}}
	return &http.Client{
		Timeout:       deliveryTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: deliveryTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func checkDial(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return ErrNotLoopback
	}
	return nil
}

// deliveryTimeout is the documented limit of blocking callbacks (647/72210, 647/74347); for the others none is published.
const deliveryTimeout = 2 * time.Second
