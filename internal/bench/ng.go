package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// ng speaks the NG protocol of rtpengine over UDP: a cookie, a blank, and a
// dictionary. An answer bears the cookie of its request.
type ng struct {
	conn   *net.UDPConn
	cookie int
	buf    [64 << 10]byte
}

// A request without an answer is sent again: the cookie says that it is the same.
const (
	ngPatience = time.Second
	ngTries    = 10
)

func dialNG(to netip.AddrPort) (*ng, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, err
	}
	return &ng{conn: conn}, nil
}

// ask returns what is in the answer to a command, unless that is an error.
func (n *ng) ask(command string, with map[string]any) (answer map[string]any, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rtpengine: %s: %w", command, err)
		}
	}()
	request := map[string]any{"command": command}
	for key, value := range with {
		request[key] = value
	}
	n.cookie++
	cookie := []byte(strconv.Itoa(n.cookie) + " ")
	message, err := bencode(cookie, request)
	if err != nil {
		return nil, err
	}
	for range ngTries {
		answer, err = n.exchange(message, cookie)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if result := answer["result"]; result != "ok" && result != "pong" {
		return nil, fmt.Errorf("result %v: %v", result, answer["error-reason"])
	}
	return answer, nil
}

// exchange sends a message once.
func (n *ng) exchange(message, cookie []byte) (map[string]any, error) {
	if err := n.conn.SetReadDeadline(time.Now().Add(ngPatience)); err != nil {
		return nil, err
	}
	if _, err := n.conn.Write(message); err != nil {
		return nil, err
	}
	for {
		size, err := n.conn.Read(n.buf[:])
		if err != nil {
			return nil, err
		}
		body, ours := bytes.CutPrefix(n.buf[:size], cookie)
		if !ours {
			continue // the answer to one that was sent twice
		}
		v, err := bdecode(body)
		if err != nil {
			return nil, err
		}
		if answer, ok := v.(map[string]any); ok {
			return answer, nil
		}
		return nil, fmt.Errorf("%w: no dictionary", errBencode)
	}
}

func (n *ng) close() error { return n.conn.Close() }
