-- Where a request goes, and what happens when nobody is there.
local activity = require "mkys.activity"
local headers = require "mkys.headers"
local requests = require "mkys.requests"
local routes = require "mkys.routes"
local target = require "mkys.target"
local lower, match = string.lower, string.match

local _M = {}

-- Pauses before each further try to connect, in seconds.
local PAUSES = { 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 1 }
-- How long one try may take, in milliseconds; as `proxy_connect_timeout`.
local CONNECT = 500
-- A request of these that was read and not answered is sent once more, and no more.
local SAFE = { GET = true, HEAD = true, OPTIONS = true, TRACE = true }
-- A body of at most so many bytes is kept in memory, so that it can be sent again where nobody listened; as `client_body_buffer_size`.
local SMALL = 16384
-- The most that a form of the portal has.
local FORM = 65536

local function say(status, text)
    ngx.status = status
    ngx.header.content_type = "text/plain; charset=utf-8"
    if status == 503 then
        ngx.header.retry_after = "1"
    end
    ngx.say(text)
    return ngx.exit(status)
end

local function no_route()
    return say(404, "There is no route here.")
end

local function no_answer()
    return say(502, "The service behind this route does not answer.")
end

local function find()
    return routes.find(ngx.var.mkys_audience, match(ngx.var.mkys_host, "^[^:]*"), target.path())
end

-- Counts the request for a route, and has it end with it.
local function enter(route)
    activity.enter(route.session)
    requests.enter(route)
end

-- Probes the target's port. The connection is closed at once; NGINX opens its own.
local function listens(route)
    local upstream = ngx.socket.tcp()
    upstream:settimeouts(CONNECT, CONNECT, CONNECT)
    local address, port = match(route.target, "^(.+):(%d+)$")
    local ok = upstream:connect(address, tonumber(port))
    if ok then
        upstream:close()
    end
    return ok
end

-- Probes the target until it listens, for the pauses that are left: a server that is being replaced is back within moments. The route
-- may have changed by then. Returns a route, or nil after the request was answered.
local function reach()
    local tries = tonumber(ngx.var.mkys_tries) or 0
    while tries < #PAUSES do
        tries = tries + 1
        ngx.sleep(PAUSES[tries])
        local route = find()
        if not route then
            activity.enter(nil)
            return no_route()
        end
        enter(route)
        if listens(route) then
            ngx.var.mkys_tries = tries
            return route
        end
    end
    return no_answer()
end

-- Prepares the body. A small one is read now and can be sent again; any other is streamed, so the target is probed first. Returns the
-- route to use, or nil after the request was answered.
local function with_body(route)
    local length = tonumber(ngx.var.http_content_length)
    if length == 0 or (not length and not ngx.var.http_transfer_encoding) then
        return route
    end
    if length and length <= SMALL then
        ngx.req.read_body()
        return route
    end
    ngx.var.mkys_streams = "yes"
    if listens(route) then
        return route
    end
    return reach()
end

local function portal()
    if (tonumber(ngx.var.http_content_length) or 0) > FORM then
        return say(413, "That is more than a form of these pages has.")
    end
    return ngx.exec("@portal")
end

function _M.request()
    local portal_host = routes.portal()
    if not portal_host then
        return say(503, "The edge is starting and does not know its routes yet.")
    end
    local host, authority = target.host()
    if not host then
        return say(400, "The Host of this request is not a host name with a port.")
    end
    local path = target.path()
    if not path then
        return say(400, "The path of this request is ambiguous: it has '.' or '..' in it.")
    end
    ngx.var.mkys_host = authority
    if _M.trusts_proxies then
        -- before what it is made of is cleared
        ngx.var.mkys_proto = ngx.var.mkys_proxy_proto
    end
    headers.clear()
    if host == portal_host then
        return portal()
    end
    local audience = ngx.var.mkys_audience
    local route = routes.find(audience, host, path)
    if not route then
        return no_route()
    end
    local upgrade = ngx.var.http_upgrade
    if upgrade and lower(upgrade) == "websocket" and ngx.req.get_method() == "GET" then
        activity.enter(route.session)
        return require("mkys.websocket").relay(route, audience, host, path)
    end
    enter(route)
    route = with_body(route)
    if route then
        ngx.var.mkys_target = route.target
    end
end

-- What NGINX says of the last try of a request: it keeps what it said of those before.
local function last(list)
    return match(list or "", "([^,:%s]+)%s*$") or "-"
end

-- Runs after a 502 or 504 of NGINX itself: nobody listened, or nobody answered.
function _M.again()
    -- "-" where the connection was never made: then no service can have seen the request
    local made = last(ngx.var.upstream_connect_time) ~= "-"
    -- it has the request, and perhaps works on it: asked once more it would only have more to do
    if made and last(ngx.var.upstream_status) == "504" then
        return say(504, "The service behind this route did not answer in time.")
    end
    if made and (tonumber(last(ngx.var.upstream_bytes_received)) or 0) > 0 then
        return say(502, "The answer of the service behind this route cannot be handed on: its head is broken, or larger than 32 KiB.")
    end
    -- what of a body went on already is gone
    if ngx.var.mkys_streams ~= "" then
        return no_answer()
    end
    if made then
        if ngx.var.mkys_read ~= "" or not SAFE[ngx.req.get_method()] then
            return no_answer()
        end
        ngx.var.mkys_read = "once"
    end
    local route = reach()
    if route then
        ngx.var.mkys_target = route.target
    end
end

return _M
