-- TCP keep-alive with times, and ending the connection of another request: Lua's sockets of NGINX offer neither
-- (docs/adr/0014-withdrawal-ends-connections.md).
--
-- Linux' numbers: /usr/include/asm-generic/socket.h, /usr/include/netinet/tcp.h.
local ffi = require "ffi"
local C = ffi.C

ffi.cdef [[
typedef union {
    struct { uint16_t family; uint16_t port; uint8_t address[4]; } v4;
    struct { uint16_t family; uint16_t port; uint32_t flow; uint8_t address[16]; } v6;
    uint8_t room[128];
} mkys_address;
int mkys_getpeername(int fd, mkys_address *address, uint32_t *length) __asm__("getpeername");
int mkys_getsockname(int fd, mkys_address *address, uint32_t *length) __asm__("getsockname");
int mkys_setsockopt(int fd, int level, int name, const int *value, uint32_t length) __asm__("setsockopt");
int mkys_shutdown(int fd, int how) __asm__("shutdown");
int mkys_dup(int fd) __asm__("dup");
int mkys_close(int fd) __asm__("close");
const char *mkys_inet_ntop(int family, const void *address, char *text, uint32_t length) __asm__("inet_ntop");
]]

local AF_INET, AF_INET6 = 2, 10
local SOL_SOCKET, SO_KEEPALIVE = 1, 9
local IPPROTO_TCP, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT = 6, 4, 5, 6, 18
local SHUT_RDWR = 2

local _M = {}

local address, length = ffi.new("mkys_address"), ffi.new("uint32_t[1]")
local text, number = ffi.new("char[64]"), ffi.new("int[1]")

-- "ADDRESS PORT" of one end of a connection; nil where the descriptor is none.
local function ending(of, fd)
    length[0] = ffi.sizeof(address)
    if of(fd, address, length) ~= 0 then
        return nil
    end
    local family = address.v4.family
    local port = address.v4.port
    port = port % 256 * 256 + math.floor(port / 256)
    local bytes = family == AF_INET and address.v4.address or family == AF_INET6 and address.v6.address
    if not bytes or C.mkys_inet_ntop(family, bytes, text, 64) == nil then
        return nil
    end
    return ffi.string(text) .. " " .. port
end

local function set(fd, level, name, value)
    number[0] = value
    return C.mkys_setsockopt(fd, level, name, number, 4) == 0
end

-- The descriptor that the next socket of this worker will have.
function _M.next()
    local fd = C.mkys_dup(0)
    if fd >= 0 then
        C.mkys_close(fd)
    end
    return fd
end

-- Has the kernel ask the other end of a silent connection, so that one whose machine vanished is closed within a minute. The connection
-- is looked at first: the descriptor must lead where it is said to.
function _M.keep_alive(fd, host, port)
    return ending(C.mkys_getpeername, fd) == host .. " " .. port
        and set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        and set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30)
        and set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10)
        and set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3)
        -- the same for what was sent and not acknowledged, in milliseconds
        and set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000)
end

-- Ends connections of visitors, given as a set of "ADDRESS PORT LOCAL_PORT", among the first `most` descriptors.
function _M.shut(wanted, most)
    for fd = 3, most do
        local peer = ending(C.mkys_getpeername, fd)
        if peer then
            local own = ending(C.mkys_getsockname, fd)
            local name = peer .. " " .. (own or ""):match("%d*$")
            if wanted[name] then
                wanted[name] = nil
                C.mkys_shutdown(fd, SHUT_RDWR)
                if not next(wanted) then
                    return
                end
            end
        end
    end
end

return _M
