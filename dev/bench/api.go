package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"callboard/dev/bench/seed"
	"callboard/sandbox"
)

// regionName is the extra endpoint that every app belongs to.
const regionName = "measured"

// api is the sandbox in this process, with a clock around each answer.
type api struct {
	url    string
	server *http.Server
	box    *sandbox.Server

	mu    sync.Mutex
	ended *sync.Cond
	calls map[int64][]*span // by app
}

// span is how long an answer took; to is zero while it is being made.
type span struct{ from, to time.Time }

func startAPI(ctx context.Context, apps []seed.App) (*api, error) {
	o := sandbox.Options{RatePerSecond: 100_000}
	for _, a := range apps {
		o.Apps = append(o.Apps, sandbox.App{SDKAppID: a.ID, Key: seed.Key(a.ID), Admins: []string{seed.Admin}})
	}
	box, err := sandbox.New(o)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		box.SetCallback(a.ID, &sandbox.Callback{Url: a.Current.URL(), CallbackCommandList: a.Current.Commands()})
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &api{url: "http://" + l.Addr().String(), box: box, calls: map[int64][]*span{}}
	a.ended = sync.NewCond(&a.mu)
	a.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: a.timed(box.API())}
	go func() { _ = a.server.Serve(l) }()
	return a, nil
}

// timed notes how long each answer took, from its request's head on.
func (a *api) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.URL.Query().Get("sdkappid"), 10, 64)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		call := &span{from: time.Now()}
		a.mu.Lock()
		a.calls[id] = append(a.calls[id], call)
		a.mu.Unlock()
		defer func() { // also when the sandbox cuts the connection
			a.mu.Lock()
			defer a.mu.Unlock()
			call.to = time.Now()
			a.ended.Broadcast()
		}()
		next.ServeHTTP(w, r)
	})
}

// took is the time that the first answers for an app took which began between two moments, and how many there were in
// all. It forgets them. Behind an apply's own two calls there can be the read-back, which belongs to nobody who waits.
func (a *api) took(id int64, from, to time.Time, first int) (total time.Duration, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.calls[id] {
		if s.from.Before(from) || s.from.After(to) {
			continue
		}
		if n++; n > first {
			continue
		}
		for s.to.IsZero() { // who asked can have the answer before its end is noted here
			a.ended.Wait()
		}
		if s.to.After(to) {
			s.to = to
		}
		total += s.to.Sub(s.from)
	}
	delete(a.calls, id)
	return total, n
}

func (a *api) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := errors.Join(a.server.Close(), a.box.Close(ctx)); err != nil {
		return fmt.Errorf("stopping the sandbox: %w", err)
	}
	return nil
}
