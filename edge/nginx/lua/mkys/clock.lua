-- Seconds of the kernel's monotonic clock, which all workers share. Leases are timed by it, so that setting the wall clock does not
-- change them.
local ffi = require "ffi"

ffi.cdef [[
typedef struct { long seconds; long nanoseconds; } mkys_timespec;
int mkys_clock_gettime(int clock, mkys_timespec *time) __asm__("clock_gettime");
]]

local CLOCK_MONOTONIC = 1
local time = ffi.new("mkys_timespec")

local _M = {}

function _M.now()
    ffi.C.mkys_clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

return _M
