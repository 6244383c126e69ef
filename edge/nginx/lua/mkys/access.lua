-- Where a request goes, and what happens when nobody is there.
local activity = require "mkys.activity"
local routes = require "mkys.routes"
local state = ngx.shared.mkys_state
local lower, find, match, sub = string.lower, string.find, string.match, string.sub

local _M = {}

-- Pauses before each further try, in seconds. NGINX allows nine internal redirects a request.
local PAUSES = { 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 1 }
local REPEATABLE = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true, TRACE = true }

local function say(status, text)
    ngx.status = status
    ngx.header.content_type = "text/plain; charset=utf-8"
    if status == 503 then
        ngx.header.retry_after = "1"
    end
    ngx.say(text)
    return ngx.exit(status)
end

local function hostname()
    local host = lower(ngx.var.http_host or "")
    local colon = find(host, ":", 1, true)
    return colon and sub(host, 1, colon - 1) or host
end

function _M.request()
    if not routes.is_ready() then
        return say(503, "The edge is starting and does not know its routes yet.")
    end
    local host, audience = hostname(), ngx.var.mkys_audience
    if host == state:get("portal") then
        return ngx.exec("@portal")
    end
    local route = routes.find(audience, host, ngx.var.uri)
    if not route then
        return say(404, "There is no route here.")
    end
    activity.enter(route.session)
    local upgrade = ngx.var.http_upgrade
    if upgrade and lower(upgrade) == "websocket" and ngx.req.get_method() == "GET" then
        return require("mkys.websocket").relay(route, audience, host)
    end
    ngx.var.mkys_target = route.target
end

-- What NGINX says of the last try of a request: it keeps what it said of those before.
local function last(list)
    return match(list or "", "([^,:%s]+)%s*$") or "-"
end

-- Runs after a 502 or 504 of NGINX itself: nobody listened, or nobody answered.
function _M.again()
    local tries = tonumber(ngx.var.mkys_tries) or 0
    local pause = PAUSES[tries + 1]
    -- "-" where the connection was never made: then no service can have seen the request
    local made = last(ngx.var.upstream_connect_time) ~= "-"
    -- it has the request, and perhaps works on it: asked once more it would only have more to do
    if made and last(ngx.var.upstream_status) == "504" then
        return say(504, "The service behind this route did not answer in time.")
    end
    local harmless = not made or REPEATABLE[ngx.req.get_method()]
    if not pause or not harmless then
        return say(502, "The service behind this route does not answer.")
    end
    ngx.sleep(pause)
    ngx.var.mkys_tries = tries + 1
    -- the route may lead elsewhere by now, or nowhere
    local route = routes.find(ngx.var.mkys_audience, hostname(), ngx.var.uri)
    activity.enter(route and route.session)
    if not route then
        return say(404, "There is no route here.")
    end
    ngx.var.mkys_target = route.target
end

return _M
