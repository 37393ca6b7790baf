package server

import (
	"cmp"
	"fmt"

	"github.com/wavey-ai/upload-response/proto"
)

// check returns an error for values that make no sense, or do not fit together.
func (c *Config) check() error {
	return cmp.Or(c.checkTimes(), c.checkLimits(), c.checkLinks(), c.checkFrames(), c.checkPools(),
		checkRoutes(c.Routes))
}

func (c *Config) checkTimes() error {
	switch {
	case c.ResponseTimeout <= 0 || c.ClientTimeout <= 0 || c.QueueTime <= 0 || c.PingInterval <= 0:
		return fmt.Errorf("timeouts have to be positive: response %v, client %v, queue %v, ping %v",
			c.ResponseTimeout, c.ClientTimeout, c.QueueTime, c.PingInterval)
	case c.StallTime < 0:
		return fmt.Errorf("stall time %v: cannot be negative", c.StallTime)
	}
	return nil
}

// checkLimits checks how much clients may send, and how many of them may wait.
func (c *Config) checkLimits() error {
	switch {
	case c.QueueLength < 0 || c.BodyLimit < 0 || c.MinBodyRate < 0 || c.RequestRate < 0 || c.RequestBurst < 0:
		return fmt.Errorf("limits cannot be negative: "+
			"queue length %d, body %d, its rate %d, requests a second %d, in a burst %d",
			c.QueueLength, c.BodyLimit, c.MinBodyRate, c.RequestRate, c.RequestBurst)
	case c.WindowMemory < 0:
		return fmt.Errorf("window memory %d: cannot be negative", c.WindowMemory)
	case c.MessageLimit < 0:
		return fmt.Errorf("message limit %d: cannot be negative", c.MessageLimit)
	case c.CompressMin < 1:
		return fmt.Errorf("compress at least %d bytes: want 1 or more", c.CompressMin)
	}
	return nil
}

// checkLinks checks the numbers of links; package shm checks the sizes of their memory.
func (c *Config) checkLinks() error {
	if c.LinksPerProcess < 0 || c.LinksPerUser < 0 || c.LinksPerPool < 0 || c.StartedWorkers < 0 {
		return fmt.Errorf("numbers of links cannot be negative: %d of a process, %d of a user, %d of a pool, %d kept",
			c.LinksPerProcess, c.LinksPerUser, c.LinksPerPool, c.StartedWorkers)
	}
	return nil
}

// checkPools checks what is said of single pools.
func (c *Config) checkPools() error {
	for name, p := range c.PoolConfigs {
		if p.Retries != nil && p.Retries.Times < 0 {
			return fmt.Errorf("pool %q: retries %d: cannot be negative", name, p.Retries.Times)
		}
	}
	return nil
}

// checkFrames checks the limits of a headers frame, which is one slot.
func (c *Config) checkFrames() error {
	switch {
	case c.FieldLimit < 1 || c.FieldLimit > proto.MaxFields:
		return fmt.Errorf("field limit %d: want 1 to %d", c.FieldLimit, proto.MaxFields)
	case c.HeaderLimit < 1 || c.HeaderLimit > c.SlotSize:
		return fmt.Errorf("header limit %d: want 1 to the slot size, %d", c.HeaderLimit, c.SlotSize)
	}
	return nil
}
