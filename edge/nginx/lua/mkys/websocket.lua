-- Relays an upgraded connection, so that it can be ended when its route is taken away, and so that
-- its activity is known: neither is possible once proxy_pass has upgraded.
local activity = require "mkys.activity"
local routes = require "mkys.routes"

local _M = {}

-- How long a silent connection is left before its route is looked at again, in milliseconds.
local LOOK = 1000
local CHUNK = 16384
-- The most that the head of a service's answer has, and the body of one that is told on, in bytes.
local MOST = 65536
-- What a visitor is told of an answer that does not upgrade.
local TOLD = { ["content-type"] = true, location = true, ["retry-after"] = true, ["www-authenticate"] = true }
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
        upstream:settimeouts(500, 60000, 60000)
        local address, port = route.target:match("^(.+):(%d+)$")
        local ok
        ok, why = upstream:connect(address, tonumber(port))
        if ok then
            return upstream, route
        end
    end
    return nil, nil, why
end

-- The request as it came, with who asked.
local function head()
    local lines = { ngx.var.request }
    for name, value in pairs(ngx.req.get_headers(0, true)) do
        local known = name:lower()
        if known ~= "x-mkys-audience" and known ~= "x-forwarded-for" and known ~= "x-real-ip"
            and known ~= "x-forwarded-proto" and known ~= "x-forwarded-host" then
            local values = type(value) == "table" and value or { value }
            for _, one in ipairs(values) do
                lines[#lines + 1] = name .. ": " .. one
            end
        end
    end
    local forwarded = ngx.var.http_x_forwarded_for
    lines[#lines + 1] = "X-Forwarded-For: " .. (forwarded and forwarded .. ", " or "") .. ngx.var.remote_addr
    lines[#lines + 1] = "X-Forwarded-Proto: " .. ngx.var.scheme
    lines[#lines + 1] = "X-Forwarded-Host: " .. (ngx.var.http_host or "")
    lines[#lines + 1] = "X-Real-IP: " .. ngx.var.remote_addr
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- What the service answers to the handshake, line by line, and its status.
local function answer(upstream)
    local lines, size = {}, 0
    repeat
        local line, why = upstream:receive("*l")
        if not line then
            return nil, nil, why
        end
        lines[#lines + 1] = line
        size = size + #line
        if size > MOST then
            return nil, nil, "the head of its answer has no end"
        end
    until line == ""
    return lines, tonumber(lines[1]:match("^HTTP/1%.%d (%d%d%d)") or "")
end

-- A service that does not upgrade has answered, and that is all that comes through: what a visitor sent behind it would be asked of the
-- service without a look at the routes.
local function tell(upstream, lines, status)
    local length
    for _, line in ipairs(lines) do
        local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
        name = name and name:lower()
        if name == "content-length" then
            length = tonumber(value)
        elseif TOLD[name] then
            ngx.header[name] = value
        end
    end
    ngx.status = status
    local body = length and length <= MOST and upstream:receive(length)
    -- also an empty one: what has not begun to be sent would be NGINX's own 502, which asks once more
    ngx.print(body or "")
    upstream:close()
    return ngx.exit(status)
end

local function no_answer(why)
    ngx.status = 502
    ngx.header.content_type = "text/plain; charset=utf-8"
    ngx.say("The service behind this route does not answer: " .. tostring(why))
    return ngx.exit(502)
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

function _M.relay(route, audience, host)
    local upstream, held, why = connect(audience, host, ngx.var.uri, route)
    if not upstream then
        return no_answer(why)
    end
    local ok, lines, status
    ok, why = upstream:send(head())
    if ok then
        lines, status, why = answer(upstream)
    end
    if status and status >= 200 then
        return tell(upstream, lines, status)
    end
    if status ~= 101 then
        return no_answer(why or "it does not speak HTTP")
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
