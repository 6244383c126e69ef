-- Relays an upgraded connection, so that it can be ended when its route is taken away, and so that
-- its activity is known: neither is possible once proxy_pass has upgraded.
local activity = require "mkys.activity"
local answers = require "mkys.answer"
local requests = require "mkys.requests"
local routes = require "mkys.routes"
local sockets = require "mkys.socket"

local _M = {}

-- How long a silent connection is left before its route is looked at again, in milliseconds.
local LOOK = 1000
local CHUNK = 16384
local TRIES = { 0, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 1 }

local function connect(audience, host, path, route)
    local why
    for _, pause in ipairs(TRIES) do
        if pause > 0 then
            ngx.sleep(pause)
            route = routes.find(audience, host, path)
            activity.enter(route and route.session)
            if not route then
                return nil, nil, "the route was taken away"
            end
        end
        local upstream = ngx.socket.tcp()
        upstream:settimeouts(500, 60000, _M.answer_ms)
        local address, port = route.target:match("^(.+):(%d+)$")
        local descriptor = sockets.next()
        local ok
        ok, why = upstream:connect(address, tonumber(port))
        if ok then
            if not sockets.keep_alive(descriptor, address, port) then
                ngx.log(ngx.WARN, "no TCP keep-alive on a websocket to ", route.target)
            end
            return upstream, route
        end
    end
    return nil, nil, why
end

-- Fields that the edge sets itself. Spoofed ones are removed before (headers.lua).
local OWN = {
    host = true, connection = true, upgrade = true, expect = true, ["keep-alive"] = true, trailer = true,
    ["transfer-encoding"] = true, ["content-length"] = true,
}

-- The request, with who asked.
local function head()
    local var = ngx.var
    local lines = {
        "GET " .. var.request_uri .. " HTTP/1.1",
        "Host: " .. var.mkys_host,
        "Connection: Upgrade",
        "Upgrade: websocket",
    }
    for name, value in pairs(ngx.req.get_headers(0, true)) do
        if not OWN[name:lower()] then
            local values = type(value) == "table" and value or { value }
            for _, one in ipairs(values) do
                lines[#lines + 1] = name .. ": " .. (one == true and "" or one)
            end
        end
    end
    lines[#lines + 1] = "X-Forwarded-For: " .. var.remote_addr
    lines[#lines + 1] = "X-Forwarded-Proto: " .. var.mkys_proto
    lines[#lines + 1] = "X-Forwarded-Host: " .. var.mkys_host
    lines[#lines + 1] = "X-Real-IP: " .. var.remote_addr
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function refuse(status, text)
    ngx.status = status
    ngx.header.content_type = "text/plain; charset=utf-8"
    ngx.say(text)
    return ngx.exit(status)
end

local function no_answer(why)
    return refuse(502, "The service behind this route does not answer: " .. tostring(why))
end

-- Copies until one side ends or the route no longer holds. A time-out loses nothing: it is only the
-- moment to look.
local function copy(from, to, holds, touch)
    while true do
        local data, why = from:receiveany(CHUNK)
        if data then
            touch()
            local ok = to:send(data)
            if not ok then
                return
            end
        elseif why ~= "timeout" then
            return
        end
        if not holds() then
            return
        end
    end
end

function _M.relay(route, audience, host, path)
    if ngx.var.http_transfer_encoding or (tonumber(ngx.var.http_content_length) or 0) > 0 then
        return refuse(400, "A request for a websocket has no body.")
    end
    local upstream, held, why = connect(audience, host, path, route)
    if not upstream then
        return no_answer(why)
    end
    local ok, lines, status
    ok, why = upstream:send(head())
    if ok then
        lines, status, why = answers.head(upstream)
    end
    if not status then
        return no_answer(why or "it does not speak HTTP")
    end
    if status ~= 101 then
        requests.enter(held)
        return answers.hand_on(upstream, lines, status)
    end
    if not routes.holds(held) then
        return no_answer("the route was taken away")
    end
    local visitor, wrong = ngx.req.socket(true)
    if not visitor then
        ngx.log(ngx.ERR, "no socket of the visitor: ", wrong)
        return ngx.exit(500)
    end
    visitor:settimeouts(LOOK, 60000, LOOK)
    upstream:settimeouts(LOOK, 60000, LOOK)
    -- the last of the lines is empty
    visitor:send(table.concat(lines, "\r\n") .. "\r\n")
    local touch = activity.toucher(held.session)
    local function holds()
        return routes.holds(held)
    end
    local up = ngx.thread.spawn(copy, visitor, upstream, holds, touch)
    local down = ngx.thread.spawn(copy, upstream, visitor, holds, touch)
    ngx.thread.wait(up, down)
    ngx.thread.kill(up)
    ngx.thread.kill(down)
    upstream:close()
    return ngx.exit(444)
end

return _M
