package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// grace is how long requests may go on after the gateway was told to stop.
const grace = 3 * time.Second

// Listen opens the API's listener on "host:port", where host is localhost or a
// loopback address. The API has no authentication: every other address is
// refused. Port 0 takes any.
func Listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("api address %q: want host:port, such as 127.0.0.1:8080: %w", addr, err)
	}
	if ip, err := netip.ParseAddr(host); !strings.EqualFold(host, "localhost") && (err != nil || !ip.Unmap().IsLoopback()) {
		return nil, fmt.Errorf("api address %q: %w", addr, errNotLoopback)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("api address %q: %w", addr, err)
	}
	if err := loopbackOnly(l); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

var errNotLoopback = errors.New("not a loopback address: the API has no authentication yet, so it listens on 127.0.0.1, [::1] or localhost only")

// loopbackOnly looks at what was really opened: localhost is what the resolver
// says it is.
func loopbackOnly(l net.Listener) error {
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("api listener %s: %w", l.Addr(), errNotLoopback)
	}
	return nil
}

// Serve answers requests on l with h until ctx ends, then gives those that are
// under way three seconds and cuts the rest off. It owns l. When it returns,
// every connection is closed and no handler runs; nil means that it was told
// to stop.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	return serve(ctx, l, h, grace)
}

func serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	if err := loopbackOnly(l); err != nil {
		l.Close()
		return err
	}
	// Requests live on until the grace is over, not only until ctx ends.
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var connections sync.WaitGroup
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // an export extends it page by page
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it would name what clients sent
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew: // before its goroutine starts, so Add never races with Wait
				connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				connections.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case <-ctx.Done():
	case err := <-served: // the listener broke
		served <- err
	}
	patience, cancel := context.WithTimeout(requests, grace)
	defer cancel()
	if srv.Shutdown(patience) != nil {
		cut(errors.New("the gateway is stopping"))
		srv.Close()
	}
	err := <-served
	connections.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("api: %w", err)
}
